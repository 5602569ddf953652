"""Embeddings of a training set, computed once and kept in the run folder.

A run that was stopped while embedding goes on with the chunks it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobsentinel.contract.text import content_hash
from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel
from jobsentinel_workers.multi_task.chunk_files import chunk_bounds, keep_chunk, read_chunk
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    stop_if_asked,
)

SHARE_OF_RUN = 0.9
"""How much of a run over fixed embeddings is the embedding."""


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
    for start, end in chunk_bounds(len(texts)):
        stop_if_asked(should_stop)
        parts.append(_embed_chunk(encoder, texts[start:end], runner, folder))
        on_progress({"fraction": SHARE_OF_RUN * end / len(texts)})
    return np.concatenate(parts)


def _embed_chunk(
    encoder: SequenceModel, chunk: Sequence[str], runner: Runner, folder: Path | None
) -> FloatArray:
    if folder is None:
        return runner(encoder, chunk)
    key = content_hash("\x1f".join((encoder.model_id, encoder.precision, *chunk)))
    path = folder / "embeddings" / f"{key}.safetensors"
    keep_chunk(path, (len(chunk), encoder.output_dim), lambda: runner(encoder, chunk))
    return np.asarray(read_chunk(path), dtype=np.float32)
