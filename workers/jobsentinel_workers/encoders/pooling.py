"""From a hidden state for each token to one vector for each text.

A vector is made of blocks of the encoder's width. The first is the text's embedding, by the mean
over its tokens or the state of the first one. Beside it may stand, at no further pass through the
network, the mean over the tokens of the title, which is the text's first line and which a long
description drowns; or for each task the mean that a learnt query weighs.

Blocks are scaled so that the whole has length 1, as a block alone would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal, get_args

import torch
from torch import nn

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.training_requests import MultiTaskPooling

Pooling = Literal["mean", "cls"]
PoolingChoice = MultiTaskPooling
POOLING_CHOICES: Final = get_args(PoolingChoice)


@dataclass(frozen=True, slots=True)
class TokenStates:
    """What a network says of a batch.

    Attributes:
        hidden: (rows, tokens, width) last hidden states.
        attention_mask: (rows, tokens), 1 on real tokens; None where nothing is padded.
        title_ends: (rows,) how many tokens, the opening special one included, the title takes;
            None where nobody asked.
    """

    hidden: torch.Tensor
    attention_mask: torch.Tensor | None
    title_ends: torch.Tensor | None = None


class Pooler(nn.Module):
    """Pools (rows, tokens, width) hidden states to (rows, output_dim) vectors of length 1.

    Args:
        width: of a hidden state.
        text: how the first block is made.
        title: whether the title has a block of its own.
        readers: who has a learnt query, and with it a block, of their own. A query of zeros, as
            they begin, weighs all tokens alike.
    """

    def __init__(
        self,
        width: int,
        text: Pooling = "mean",
        *,
        title: bool = False,
        readers: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.width = width
        self.text = text
        self.title = title
        self.queries = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(width)) for name in readers}
        )

    @classmethod
    def of_choice(
        cls, choice: PoolingChoice, width: int, own: Pooling, readers: Sequence[str]
    ) -> Pooler:
        """Return the pooler that ``choice`` names, over an encoder that pools by ``own``.

        Raises:
            InvalidInput: there is no such choice.
        """
        if choice not in POOLING_CHOICES:
            raise InvalidInput("pooling", f"must be one of {', '.join(POOLING_CHOICES)}")
        if choice in ("mean", "cls"):
            return cls(width, "cls" if choice == "cls" else "mean")
        wanted = readers if choice == "attention" else ()
        return cls(width, own, title=choice == "title", readers=wanted)

    def to_json(self) -> dict[str, Any]:
        """Return the settings, beside the width, that make a pooler like this one."""
        return {"text": self.text, "title": self.title, "readers": list(self.queries)}

    def add_reader(self, name: str) -> None:
        """Give ``name`` a query too, if others have theirs."""
        if self.queries:
            like = next(iter(self.queries.values()))
            self.queries[name] = nn.Parameter(torch.zeros_like(like))

    @property
    def learnt_nothing(self) -> bool:
        """Whether there are queries and none of them was trained."""
        return bool(self.queries) and not any(query.any() for query in self.queries.values())

    @property
    def choice(self) -> PoolingChoice:
        """The name of what is pooled."""
        if self.queries:
            return "attention"
        return "title" if self.title else self.text

    @property
    def name(self) -> str:
        """The choice, and of learnt queries some digits that change with them."""
        digest = sha256()
        for reader, query in self.queries.items():
            digest.update(reader.encode())
            digest.update(query.detach().float().cpu().numpy().tobytes())
        return f"{self.choice}@{digest.hexdigest()[:12]}" if self.queries else self.choice

    @property
    def blocks(self) -> int:
        """How many vectors of ``width`` stand side by side."""
        return 1 + int(self.title) + len(self.queries)

    @property
    def output_dim(self) -> int:
        """How many numbers a text gets."""
        return self.width * self.blocks

    def columns(self, reader: str, *, title: bool = True) -> list[int]:
        """Return the columns that ``reader`` reads: all but others', and the title's if asked."""
        names = list(self.queries)
        own = [1 + int(self.title) + names.index(reader)] if reader in names else []
        blocks = [0, *([1] if self.title and title else []), *own]
        return [block * self.width + column for block in blocks for column in range(self.width)]

    def forward(self, states: TokenStates) -> torch.Tensor:
        """Return (rows, output_dim) float32, open to gradients."""
        # Summed in float32 whatever the network computes in: bf16 sums drift with a text's length.
        hidden = states.hidden.float()
        blocks = [_pool_text(hidden, states.attention_mask, self.text)]
        if self.title:
            blocks.append(_pool_title(hidden, states))
        blocks += [_attend(hidden, states.attention_mask, query) for query in self.queries.values()]
        unit = [to_unit_length(block) for block in blocks]
        return torch.cat(unit, dim=1) / math.sqrt(self.blocks)

    def first_block(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return (rows, width) of length 1: the texts' embeddings in (rows, output_dim) vectors."""
        return vectors[:, : self.width] * math.sqrt(self.blocks)


def _pool_text(
    hidden: torch.Tensor, attention_mask: torch.Tensor | None, pooling: Pooling
) -> torch.Tensor:
    return hidden[:, 0] if pooling == "cls" else mean_pool(hidden, attention_mask)


def _pool_title(hidden: torch.Tensor, states: TokenStates) -> torch.Tensor:
    if states.title_ends is None:
        raise InvalidInput("title_ends", "are needed to pool titles")
    positions = torch.arange(hidden.shape[1], device=hidden.device)
    return mean_pool(hidden, (positions < states.title_ends[:, None]).long())


def _attend(
    hidden: torch.Tensor, attention_mask: torch.Tensor | None, query: torch.Tensor
) -> torch.Tensor:
    """Return (rows, width): the mean of the states, weighed by how much each is like ``query``."""
    logits = hidden @ query / math.sqrt(query.shape[0])
    if attention_mask is not None:
        logits = logits.masked_fill(attention_mask == 0, float("-inf"))
    return torch.einsum("rt,rtw->rw", logits.softmax(dim=1), hidden)


def mean_pool(hidden: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Return the mean over real tokens, (rows, width) float32 (Reimers and Gurevych 2019)."""
    hidden = hidden.float()
    if attention_mask is None:
        return hidden.mean(dim=1)
    mask = attention_mask.unsqueeze(-1).float()
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


def to_unit_length(vectors: torch.Tensor) -> torch.Tensor:
    """Return rows scaled to length 1, so that a dot product is a cosine."""
    return torch.nn.functional.normalize(vectors, dim=-1)
