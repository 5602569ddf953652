"""From a hidden state for each token to one vector for each text."""

from __future__ import annotations

from typing import Literal

import torch

Pooling = Literal["mean", "cls"]


def pool(
    hidden: torch.Tensor, attention_mask: torch.Tensor | None, pooling: Pooling
) -> torch.Tensor:
    """Return (rows, width) float32 from hidden states (rows, tokens, width)."""
    if pooling == "cls":
        return hidden[:, 0].float()
    return mean_pool(hidden, attention_mask)


def mean_pool(hidden: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Return the mean over real tokens, (rows, width) float32 (Reimers and Gurevych 2019)."""
    # Summed in float32 whatever the network computes in: bf16 sums drift with a text's length.
    hidden = hidden.float()
    if attention_mask is None:
        return hidden.mean(dim=1)
    mask = attention_mask.unsqueeze(-1).float()
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


def to_unit_length(vectors: torch.Tensor) -> torch.Tensor:
    """Return rows scaled to length 1, so that a dot product is a cosine."""
    return torch.nn.functional.normalize(vectors, dim=-1)
