"""What selection accepts: real probabilities, finite embeddings, sensible counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

SUM_TOLERANCE: Final = 0.01
"""How far a row may sum from 1: enough for rounded decimals and bf16, too little for logits."""


def check_probabilities(values: Any) -> Floats:
    """Return ``values`` as (n, c) probabilities whose rows sum to 1 exactly enough.

    Raises:
        InvalidInput: wrong shape or kind, fewer than two classes, NaN, negative, wrong sum.
    """
    array = _numbers(values, "probabilities")
    if array.ndim != 2 or array.shape[1] < 2:
        raise InvalidInput(
            "probabilities",
            f"must have the shape (candidates, classes) with 2 classes or more, not {array.shape}",
        )
    _refuse_rows(~np.isfinite(array).all(axis=1), "probabilities", "holds NaN or infinity")
    _refuse_rows((array < 0).any(axis=1), "probabilities", "holds a negative number")
    sums = array.sum(axis=1)
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    _refuse_rows(wrong, "probabilities", f"must sum to 1 within {SUM_TOLERANCE:g}")
    checked: Floats = array / sums[:, None]
    return checked


def check_embeddings(values: Any, field: str = "embeddings") -> Vectors:
    """Return ``values`` (n, d) as unit vectors; an all-zero row stays zero.

    Raises:
        InvalidInput: wrong shape or kind, NaN or infinity.
    """
    array = _numbers(values, field)
    if array.ndim != 2 or array.shape[1] < 1:
        raise InvalidInput(field, f"must have the shape (candidates, width), not {array.shape}")
    _refuse_rows(~np.isfinite(array).all(axis=1), field, "holds NaN or infinity")
    # Scaling by the largest entry first keeps the squares of huge numbers finite.
    array = array / np.maximum(np.abs(array).max(axis=1, keepdims=True), np.finfo(float).tiny)
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    unit: Vectors = (array / np.where(norms == 0, 1, norms)).astype(np.float32)
    return unit


def check_count(value: int, field: str) -> int:
    """Return ``value`` if it is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InvalidInput(field, "must be a whole number, 1 or more")
    return int(value)


def check_seed(seed: int) -> int:
    """Return ``seed`` if random generators take it: 0 to 2**32 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InvalidInput("seed", "must be a whole number from 0 to 4294967295")
    return int(seed)


def check_class_names(names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return a name for each class; without names, ``class 0`` and so on."""
    if names is None:
        return tuple(f"class {index}" for index in range(classes))
    if len(names) != classes:
        raise InvalidInput("class_names", f"must be {classes} names, one a class")
    return tuple(names)


def _numbers(values: Any, field: str) -> Floats:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidInput(field, f"must be a rectangular array ({error})") from error
    if array.dtype.kind not in "fiu":
        raise InvalidInput(field, f"must hold numbers, not {array.dtype}")
    return array.astype(np.float64)


def _refuse_rows(wrong: Any, field: str, problem: str) -> None:
    """Report the first row that the (n,) mask ``wrong`` marks."""
    if np.any(wrong):
        raise InvalidInput(f"{field}.{int(np.argmax(wrong))}", problem)
