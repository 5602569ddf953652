"""What is refused before any model runs, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import normalise
from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.reranking.rankings import DENSE, FUSED, LEXICAL, Candidate, FirstStage

TAKEN_NAMES = frozenset({DENSE, LEXICAL, FUSED, "bi_encoder", "fuse", "total"})
"""What results call the first stage and its times."""
LOOKED_AT_FIRST, LOOKED_AT = 200, 10_000
"""So many characters of a candidate's text are looked at to see that it says something."""


def check_top_k(initial_top_k: int, final_top_k: int) -> None:
    """Raise InvalidInput unless both are at least 1."""
    for field, value in {"initial_top_k": initial_top_k, "final_top_k": final_top_k}.items():
        _check_count(field, value)


def check_first_stage(first_stage: str) -> None:
    """Raise InvalidInput for a first stage that does not exist."""
    known = get_args(FirstStage)
    if first_stage not in known:
        raise InvalidInput("first_stage", f"is {first_stage!r:.80}, not one of {', '.join(known)}")


def check_stages(keeps: Mapping[str, int | None], count: int) -> None:
    """Raise InvalidInput unless ``count`` names differ, are free, and keep at least 1 each."""
    if len(keeps) < count:
        raise InvalidInput("stages", "two of them have the same name; give them names")
    for name, keep in keeps.items():
        if name in TAKEN_NAMES:
            raise InvalidInput("stages", f"must not be called {name!r}, as the first stage is")
        if keep is not None:
            _check_count(f"stages.{name}.keep", keep)


def check_candidates(candidates: Sequence[Candidate]) -> None:
    """Raise InvalidInput if a text is empty or an id repeats."""
    seen: set[str] = set()
    for position, candidate in enumerate(candidates):
        if candidate.id in seen:
            raise InvalidInput(f"candidates.{position}.id", f"repeats {candidate.id!r:.80}")
        seen.add(candidate.id)
        if not isinstance(candidate.text, str) or not _says_something(candidate.text):
            raise InvalidInput(
                f"candidates.{position}.text", "must be text and not empty after normalisation"
            )


def _says_something(text: str) -> bool:
    # The first words decide nearly always; to normalise all of each text takes longer than search.
    return bool(normalise(text[:LOOKED_AT_FIRST]) or normalise(text[:LOOKED_AT]))


def checked_embedding(embedding: FloatArray, field: str, width: int) -> FloatArray:
    """Return ``embedding`` if it holds (width,) finite numbers, else raise InvalidInput."""
    if np.shape(embedding) != (width,):
        raise InvalidInput(field, f"must have shape ({width},), not {np.shape(embedding)}")
    if not np.isfinite(embedding).all():
        raise InvalidInput(field, "must not hold NaN or infinity")
    return embedding


def _check_count(field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInput(field, f"must be a whole number from 1, not {value!r:.80}")
