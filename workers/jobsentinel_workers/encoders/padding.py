"""A batch of tokenised texts as the tensors of one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from jobsentinel_workers.encoders.pooling import TokenStates
from jobsentinel_workers.encoders.sequence_model import EncodedText


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Tensors of one forward pass, padded to the longest text.

    Attributes:
        input_ids: (rows, tokens) int64.
        attention_mask: (rows, tokens) int64, 1 on real tokens; None where nothing is padded, which
            spares attention the mask.
        token_type_ids: (rows, tokens) int64, or None where all are 0.
        title_ends: (rows,) int64, how many tokens the titles take; None where nobody asked.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    token_type_ids: torch.Tensor | None
    title_ends: torch.Tensor | None = None

    def run(self, network: torch.nn.Module) -> torch.Tensor:
        """Return the last hidden states of ``network``, (rows, tokens, width)."""
        hidden: torch.Tensor = self.call(network).last_hidden_state
        return hidden

    def call(self, network: torch.nn.Module) -> Any:
        """Return what ``network``, of the transformers library, answers."""
        inputs = {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "token_type_ids": self.token_type_ids,
        }
        return network(**{name: value for name, value in inputs.items() if value is not None})

    def states(self, network: torch.nn.Module) -> TokenStates:
        """Return what a pooler reads: the last hidden states and which of them are whose."""
        return TokenStates(self.run(network), self.attention_mask, self.title_ends)


def pad_batch(
    batch: Sequence[EncodedText], device: torch.device | str = "cpu", pad_id: int = 0
) -> PaddedBatch:
    """Return ``batch`` (not empty) padded to its longest text, on ``device``."""
    longest = max(map(len, batch))
    ids = np.full((len(batch), longest), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    types = np.zeros_like(ids) if any(t.token_type_ids is not None for t in batch) else None
    for row, text in enumerate(batch):
        ids[row, : len(text)] = text.input_ids
        mask[row, : len(text)] = 1
        if types is not None and text.token_type_ids is not None:
            types[row, : len(text)] = text.token_type_ids
    return PaddedBatch(
        input_ids=torch.from_numpy(ids).to(device),
        attention_mask=None if mask.all() else torch.from_numpy(mask).to(device),
        token_type_ids=None if types is None else torch.from_numpy(types).to(device),
        title_ends=title_ends(batch, device),
    )


def title_ends(
    batch: Sequence[EncodedText], device: torch.device | str = "cpu"
) -> torch.Tensor | None:
    """Return (rows,) where each title ends; None where a text was tokenised without asking."""
    ends = [text.title_end for text in batch]
    return torch.tensor(ends, device=device) if all(ends) else None
