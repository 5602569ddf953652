"""What frozen layers give for every text, computed once and read from the disk at each step.

Kept as float16: its rounding changes a later hidden state by less than 0.001, an eighth of what
bfloat16 does. A text takes ``tokens x width x 2`` bytes, padding none: 10,000 texts of 128 tokens
and width 384 take 1 GB on the disk, and in memory what the operating system can spare.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open

from jobsentinel.contract.errors import ConfigurationError, ModelUnavailable
from jobsentinel_workers.encoders import EncodedText, PaddedBatch, pad_batch, plan_batches
from jobsentinel_workers.multi_task.chunk_files import (
    ARRAY,
    ROWS_A_CHUNK,
    chunk_bounds,
    keep_chunk,
)

HalfArray = npt.NDArray[np.float16]
BYTES_A_NUMBER = 2
MAX_TOKENS_A_BATCH = 4_096

Compute = Callable[[PaddedBatch], torch.Tensor]
"""From a padded batch to (rows, tokens, width) hidden states."""


class HiddenStates:
    """The hidden states of texts by position, in files of a folder.

    Args:
        texts: what the states belong to.
        width: of one state.
        folder: where the files are, or will be when `compute` has run.
        key: changes with whatever the states depend on beside the texts.
    """

    def __init__(
        self, texts: Sequence[EncodedText], width: int, folder: Path, key: tuple[str, ...]
    ) -> None:
        self._texts = texts
        self._width = width
        self._ends = np.cumsum([len(text) for text in texts])
        self._paths = [
            folder / f"{_digest(key, texts[start:end])}.safetensors"
            for start, end in chunk_bounds(len(texts))
        ]
        self._folder = folder
        self._open: dict[int, Any] = {}

    def compute(
        self,
        compute: Compute,
        device: torch.device,
        pad_id: int,
        before_chunk: Callable[[float], None],
    ) -> None:
        """Compute and write the chunks that are missing; a full disk is noticed beforehand.

        ``before_chunk`` hears the share that is done; it may raise to stop.

        Raises:
            ConfigurationError: the disk has no room for them.
            ModelUnavailable: a state is beyond float16.
        """
        self._check_room()
        for number, (start, end) in enumerate(chunk_bounds(len(self._texts))):
            before_chunk(start / len(self._texts))
            chunk = self._texts[start:end]
            shape = (sum(map(len, chunk)), self._width)
            make = partial(self._compute_chunk, compute, device, pad_id, chunk)
            keep_chunk(self._paths[number], shape, make)

    def _check_room(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        bounds = chunk_bounds(len(self._texts))
        there = map(Path.is_file, self._paths)
        missing = [span for span, kept in zip(bounds, there, strict=True) if not kept]
        tokens = sum(len(text) for start, end in missing for text in self._texts[start:end])
        needed, free = tokens * self._width * BYTES_A_NUMBER, shutil.disk_usage(self._folder).free
        if needed > free:
            raise ConfigurationError(
                f"the frozen layers' output takes {needed / 1e9:.1f} GB and {self._folder} has "
                f"{free / 1e9:.1f} GB free: make room, give fewer rows, or use lora or full"
            )

    def _compute_chunk(
        self, compute: Compute, device: torch.device, pad_id: int, chunk: Sequence[EncodedText]
    ) -> HalfArray:
        lengths = [len(text) for text in chunk]
        ends = np.cumsum(lengths)
        output = np.empty((ends[-1], self._width), dtype=np.float16)
        for rows in plan_batches(lengths, max_tokens_a_batch=MAX_TOKENS_A_BATCH, max_rows=64):
            states = compute(pad_batch([chunk[row] for row in rows], device, pad_id))
            halves = states.half().cpu().numpy()
            for row, state in zip(rows, halves, strict=True):
                output[ends[row] - lengths[row] : ends[row]] = state[: lengths[row]]
        if not np.isfinite(output).all():
            raise ModelUnavailable(
                "the encoder's hidden states are beyond float16: use the method lora or full"
            )
        return output

    def padded(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return (rows, longest, width) float32 states and their (rows, longest) mask, or None.

        The mask is None where nothing is padded, as in a `PaddedBatch`.
        """
        states = [self[row] for row in rows]
        longest = max(map(len, states))
        padded = np.zeros((len(states), longest, self._width), dtype=np.float32)
        mask = np.zeros((len(states), longest), dtype=np.int64)
        for place, state in enumerate(states):
            padded[place, : len(state)] = state
            mask[place, : len(state)] = 1
        return torch.from_numpy(padded), None if mask.all() else torch.from_numpy(mask)

    def __getitem__(self, row: int) -> HalfArray:
        """Return the (tokens, width) states of the text at position ``row``."""
        number = row // ROWS_A_CHUNK
        first = number * ROWS_A_CHUNK
        offset = int(self._ends[first - 1]) if first else 0
        end = int(self._ends[row]) - offset
        states: HalfArray = self._slices(number)[end - len(self._texts[row]) : end]
        return states

    def _slices(self, number: int) -> Any:
        # Opened once: the file stays mapped, and only the rows asked for are read.
        if number not in self._open:
            file: Any = safe_open(self._paths[number], framework="numpy")
            self._open[number] = file.__enter__().get_slice(ARRAY)
        return self._open[number]


def _digest(key: tuple[str, ...], texts: Sequence[EncodedText]) -> str:
    digest = sha256("\x1f".join(key).encode())
    for text in texts:
        digest.update(f"|{len(text)}|".encode())
        digest.update(text.input_ids.tobytes())
    return digest.hexdigest()[:32]
