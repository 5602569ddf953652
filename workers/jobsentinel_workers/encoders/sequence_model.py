"""What every model that reads text looks like: prepare, then compute.

Preparing (tokenising) is cheap, done by many threads at once; computing is one forward pass. The
split lets a worker fill one batch from many requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.encoders.batching import plan_batches
from jobsentinel_workers.encoders.precision import Precision

TextInput = str | tuple[str, str]
"""One text, or a pair such as (query, document)."""

FloatArray = npt.NDArray[np.float32]

DEFAULT_MAX_TOKENS_A_BATCH = 4_096
DEFAULT_MAX_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """A tokenised text, truncated and with special tokens, not yet padded.

    Attributes:
        input_ids: (tokens,) int32 vocabulary ids.
        token_type_ids: (tokens,) int32 segment ids, or None where all are 0.
        title_end: how many tokens, the opening special one included, the first line takes; 0 where
            nobody asked.
    """

    input_ids: npt.NDArray[np.int32]
    token_type_ids: npt.NDArray[np.int32] | None = None
    title_end: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)


@runtime_checkable
class SequenceModel(Protocol):
    """A model from texts, or pairs of texts, to rows of numbers."""

    @property
    def model_id(self) -> str:
        """A name that changes with the weights: fit to key a cache by."""

    @property
    def precision(self) -> Precision:
        """The number format of the forward pass."""

    @property
    def output_dim(self) -> int:
        """How many numbers a text gets."""

    @property
    def max_tokens(self) -> int:
        """Texts are cut to so many tokens, special tokens included."""

    def prepare(self, inputs: Sequence[TextInput]) -> list[EncodedText]:
        """Return ``inputs`` tokenised; safe to call from several threads at once."""

    def compute(self, batch: Sequence[EncodedText]) -> FloatArray:
        """Return (n, output_dim) float32 by one forward pass padded to the longest text."""


Runner = Callable[[SequenceModel, Sequence[TextInput]], FloatArray]
"""Turns inputs into (n, output_dim) float32; a worker's batcher is one, run_directly another."""


def run_directly(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
    """Return (n, output_dim) float32 for ``inputs``, computed in the calling thread."""
    encoded = model.prepare(inputs)
    output = np.zeros((len(encoded), model.output_dim), dtype=np.float32)
    plan = plan_batches(
        [len(text) for text in encoded],
        max_tokens_a_batch=DEFAULT_MAX_TOKENS_A_BATCH,
        max_rows=DEFAULT_MAX_ROWS,
    )
    for rows in plan:
        output[rows] = model.compute([encoded[row] for row in rows])
    return output
