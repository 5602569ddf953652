"""Cosines of a query and candidates, of which some or all have an embedding already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel
from jobsentinel_workers.reranking.fusion import SCORE_DECIMALS
from jobsentinel_workers.reranking.rankings import Candidate
from jobsentinel_workers.reranking.validation import checked_embedding


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Return (n, d) ``vectors`` at length 1; rows of zeros stay zeros."""
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def cosines_of(
    encoder: SequenceModel,
    query: str,
    candidates: Sequence[Candidate],
    query_embedding: FloatArray | None,
    runner: Runner,
) -> FloatArray:
    """Return (n,) cosines; what has no embedding is encoded in one call of ``runner``.

    Raises:
        InvalidInput: an embedding has another width than the encoder's, NaN or infinity.
    """
    if not candidates:
        return np.zeros(0, dtype=np.float32)
    given = [query_embedding, *(candidate.embedding for candidate in candidates)]
    texts = [query, *(candidate.text for candidate in candidates)]
    embeddings = np.empty((len(given), encoder.output_dim), dtype=np.float32)
    missing = [n for n, embedding in enumerate(given) if embedding is None]
    for n, embedding in enumerate(given):
        if embedding is not None:
            field = f"candidates.{n - 1}.embedding" if n else "query_embedding"
            embeddings[n] = checked_embedding(embedding, field, encoder.output_dim)
    if missing:
        embeddings[missing] = runner(encoder, [texts[n] for n in missing])
    unit = unit_rows(embeddings)
    rounded: FloatArray = np.round(unit[1:] @ unit[0], SCORE_DECIMALS)
    return rounded
