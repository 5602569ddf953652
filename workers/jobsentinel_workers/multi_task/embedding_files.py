"""Embeddings of a training set, computed once and kept in the run folder.

A run that was stopped while embedding goes on with the chunks it has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from jobsentinel.contract.text import content_hash
from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    stop_if_asked,
)

ROWS_A_CHUNK = 256


def embed_all(
    encoder: SequenceModel,
    texts: Sequence[str],
    *,
    runner: Runner,
    folder: Path | None,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> FloatArray:
    """Return (n, d) float32 embeddings of ``texts``, read from ``folder`` where they are there.

    Raises:
        TrainingStopped: ``should_stop`` said so; what was computed stays in ``folder``.
    """
    parts = [np.zeros((0, encoder.output_dim), dtype=np.float32)]
    for start, chunk in _chunks(texts):
        stop_if_asked(should_stop)
        parts.append(_embed_chunk(encoder, chunk, runner, folder))
        on_progress({"fraction": 0.9 * (start + len(chunk)) / len(texts)})
    return np.concatenate(parts)


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    for start in range(0, len(texts), ROWS_A_CHUNK):
        yield start, texts[start : start + ROWS_A_CHUNK]


def _embed_chunk(
    encoder: SequenceModel, chunk: Sequence[str], runner: Runner, folder: Path | None
) -> FloatArray:
    if folder is None:
        return runner(encoder, chunk)
    # The name holds the model and the texts: another encoder or other rows never match.
    key = content_hash("\x1f".join((encoder.model_id, encoder.precision, *chunk)))
    path = folder / "embeddings" / f"{key}.safetensors"
    if path.is_file():
        return np.asarray(load_file(path)["embeddings"], dtype=np.float32)
    embeddings = runner(encoder, chunk)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    save_file({"embeddings": np.ascontiguousarray(embeddings)}, part)
    part.replace(path)
    return embeddings
