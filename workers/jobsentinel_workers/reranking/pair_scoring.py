"""The head of the cross-encoder: from the hidden states of a pair to one relevance logit.

Query and document read each other inside the transformer; then each is pooled by itself and the
two are compared. Comparing starts out as their cosine, which the frozen sentence encoder already
makes meaningful, so little training goes a long way.
"""

from __future__ import annotations

import torch
from torch import nn

from jobsentinel_workers.encoders import PaddedBatch, to_unit_length

INITIAL_COSINE_WEIGHT = 10.0


class PairHead(nn.Module):
    """One relevance logit from the pooled query and document of a pair."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.product = nn.Linear(hidden_size, 1)
        self.difference = nn.Linear(hidden_size, 1, bias=False)
        self.context = nn.Linear(hidden_size, 1, bias=False)
        # A constant weight on the element-wise product of unit vectors is their cosine.
        nn.init.constant_(self.product.weight, INITIAL_COSINE_WEIGHT)
        nn.init.constant_(self.product.bias, -INITIAL_COSINE_WEIGHT / 2)
        nn.init.zeros_(self.difference.weight)
        nn.init.zeros_(self.context.weight)

    def forward(self, hidden: torch.Tensor, batch: PaddedBatch) -> torch.Tensor:
        """Return (rows,) float32 logits from hidden states (rows, tokens, width)."""
        in_query, in_document = segment_masks(batch)
        query, document = _pool(hidden, in_query), _pool(hidden, in_document)
        logits = (
            self.product(query * document)
            + self.difference((query - document).abs())
            + self.context(_pool(hidden, in_query + in_document))
        )
        scores: torch.Tensor = logits.squeeze(-1)
        return scores


def segment_masks(batch: PaddedBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (rows, tokens) float32 masks of the query's and of the document's tokens.

    Raises:
        ValueError: the batch holds single texts instead of pairs.
    """
    if batch.token_type_ids is None:
        raise ValueError("a cross-encoder scores pairs of texts, not single texts")
    real = (
        torch.ones_like(batch.input_ids) if batch.attention_mask is None else batch.attention_mask
    )
    document = (batch.token_type_ids * real).float()
    return real.float() - document, document


def _pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    total = (hidden.float() * mask.unsqueeze(-1)).sum(dim=1)
    return to_unit_length(total)


class PairNetwork(nn.Module):
    """A transformer and the head that scores pairs with it."""

    def __init__(self, transformer: nn.Module, hidden_size: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = PairHead(hidden_size)

    def forward(self, batch: PaddedBatch) -> torch.Tensor:
        """Return (rows,) float32 logits."""
        logits: torch.Tensor = self.head(batch.run(self.transformer), batch)
        return logits
