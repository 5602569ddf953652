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
    candidates: Sequence[Candidate],
    query_embedding: FloatArray | None,
    runner: Runner,
) -> FloatArray:
    """Return (n,) cosines of the candidates with a query of (d,) embedding.

    Candidates that have no embedding are encoded in one call of ``runner``. The query may be None
    where there are no candidates.

    Raises:
        InvalidInput: an embedding has another width than the encoder's, NaN or infinity.
    """
    if not candidates or query_embedding is None:
        return np.zeros(0, dtype=np.float32)
    width = encoder.output_dim
    query = checked_embedding(query_embedding, "query_embedding", width)
    embeddings = np.empty((len(candidates), width), dtype=np.float32)
    missing = [n for n, candidate in enumerate(candidates) if candidate.embedding is None]
    for n, candidate in enumerate(candidates):
        if candidate.embedding is not None:
            field = f"candidates.{n}.embedding"
            embeddings[n] = checked_embedding(candidate.embedding, field, width)
    if missing:
        embeddings[missing] = runner(encoder, [candidates[n].text for n in missing])
    rounded: FloatArray = np.round(
        unit_rows(embeddings) @ unit_rows(query[None])[0], SCORE_DECIMALS
    )
    return rounded
