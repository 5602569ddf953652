"""What is refused before any model runs, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import normalise
from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.reranking.rankings import Candidate


def check_top_k(initial_top_k: int, final_top_k: int) -> None:
    """Raise InvalidInput unless both are at least 1."""
    for field, value in {"initial_top_k": initial_top_k, "final_top_k": final_top_k}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidInput(field, f"must be a whole number from 1, not {value!r}")


def check_candidates(candidates: Sequence[Candidate]) -> None:
    """Raise InvalidInput if a text is empty or an id repeats."""
    seen: set[str] = set()
    for position, candidate in enumerate(candidates):
        if candidate.id in seen:
            raise InvalidInput(f"candidates.{position}.id", f"repeats {candidate.id!r:.80}")
        seen.add(candidate.id)
        if not isinstance(candidate.text, str) or not normalise(candidate.text[:10_000]):
            raise InvalidInput(
                f"candidates.{position}.text", "must be text and not empty after normalisation"
            )


def checked_embedding(embedding: FloatArray, position: int, width: int) -> FloatArray:
    """Return ``embedding`` if it holds (width,) finite numbers, else raise InvalidInput."""
    field = f"candidates.{position}.embedding"
    if np.shape(embedding) != (width,):
        raise InvalidInput(field, f"must have shape ({width},), not {np.shape(embedding)}")
    if not np.isfinite(embedding).all():
        raise InvalidInput(field, "must not hold NaN or infinity")
    return embedding
