"""The cross-encoder as a SequenceModel: pairs of query and text in, one relevance logit out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import (
    EncodedText,
    FloatArray,
    Precision,
    TextInput,
    ThreadTokenizer,
    pad_batch,
)
from jobsentinel_workers.reranking.passages import select_passages

CHARS_A_TOKEN = 5.5
"""Of English postings, a little above the mean: the tokenizer cuts what is too much."""


@dataclass(frozen=True, slots=True)
class PairLimits:
    """How many tokens of a pair are read: of the query, and of both with special tokens."""

    max_query_tokens: int = 64
    max_tokens: int = 192


class PairModel:
    """Scores (query, text) pairs; higher is more relevant."""

    output_dim = 1

    def __init__(
        self,
        network: torch.nn.Module,
        tokenizer_json: str,
        *,
        model_id: str,
        limits: PairLimits,
        precision: Precision,
        device: torch.device,
        pad_id: int = 0,
    ) -> None:
        self.network = network
        self.model_id = model_id
        self.limits = limits
        self.precision: Precision = precision
        self.device = device
        self.max_tokens = limits.max_tokens
        self._pad_id = pad_id
        self._tokenizer = ThreadTokenizer(
            tokenizer_json,
            max_tokens=limits.max_tokens,
            max_query_tokens=limits.max_query_tokens,
        )

    def prepare(self, inputs: Sequence[TextInput]) -> list[EncodedText]:
        """Return pairs tokenised; of a long text, the passages nearest to its query.

        Raises:
            InvalidInput: an input is no pair of texts, or one of them is empty.
        """
        return self._tokenizer.encode([self._shorten(n, pair) for n, pair in enumerate(inputs)])

    def _shorten(self, position: int, pair: TextInput) -> TextInput:
        query, text = _pair_of_texts(pair, position)
        query_tokens = min(self.limits.max_query_tokens, 3 + len(query) // 4)
        room = int((self.max_tokens - query_tokens) * CHARS_A_TOKEN)
        return query, select_passages(query, text, room)

    @torch.inference_mode()
    def compute(self, batch: Sequence[EncodedText]) -> FloatArray:
        """Return (n, 1) float32 logits by one forward pass padded to the longest pair."""
        logits = self.network(pad_batch(batch, self.device, self._pad_id))
        return np.asarray(logits.float().cpu().numpy(), dtype=np.float32)[:, None]


def _pair_of_texts(pair: object, position: int) -> tuple[str, str]:
    match pair:
        case (str() as query, str() as text):
            return query, text
    raise InvalidInput(f"texts.{position}", "must be a pair of texts (query, text)")
