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


def check_probabilities(values: Any, field: str = "probabilities") -> Floats:
    """Return ``values`` as (n, c) probabilities whose rows sum to 1 exactly enough.

    Raises:
        InvalidInput: wrong shape or kind, fewer than two classes, NaN, negative, wrong sum.
    """
    array = numbers(values, field).astype(np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise InvalidInput(
            field,
            f"must have the shape (candidates, classes) with 2 classes or more, not {array.shape}",
        )
    sums = array.sum(axis=1)
    refuse_rows(~np.isfinite(sums), field, "holds NaN or infinity")
    if array.size and array.min() < 0:
        refuse_rows((array < 0).any(axis=1), field, "holds a negative number")
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    refuse_rows(wrong, field, f"must sum to 1 within {SUM_TOLERANCE:g}")
    array /= sums[:, None]
    return array


def check_committee(values: Any, field: str = "committee_probabilities") -> Floats:
    """Return (k, n, c) probabilities of ``k`` members, 2 or more.

    Raises:
        InvalidInput: fewer than two members, or as for `check_probabilities`, naming the member.
    """
    members = [
        check_probabilities(member, f"{field}.{at}")
        for at, member in enumerate(_members(values, field))
    ]
    shapes = {member.shape for member in members}
    if len(shapes) > 1:
        raise InvalidInput(field, f"must be of one shape for all members, not {sorted(shapes)}")
    return np.stack(members)


def check_values(values: Any, field: str, *, dimensions: int = 1) -> Floats:
    """Return finite numbers, (n,) predicted or true values or (k, n) of a committee.

    Raises:
        InvalidInput: wrong shape or kind, NaN or infinity, a committee of one.
    """
    array = numbers(values, field).astype(np.float64)
    shape = "(candidates,)" if dimensions == 1 else "(members, candidates)"
    if array.ndim != dimensions:
        raise InvalidInput(field, f"must have the shape {shape}, not {array.shape}")
    if dimensions == 2:
        _members(array, field)
    wrong = ~np.isfinite(array)
    refuse_rows(wrong if dimensions == 1 else wrong.any(axis=0), field, "is NaN or infinite")
    return array


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


def check_share(value: float, field: str) -> float:
    """Return ``value`` if it is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(field, f"must be a number from 0 to 1, not {value!r}")
    return float(value)


def check_class_names(names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return a name for each class; without names, ``class 0`` and so on."""
    if names is None:
        return tuple(f"class {index}" for index in range(classes))
    if len(names) != classes:
        raise InvalidInput("class_names", f"must be {classes} names, one a class")
    return tuple(names)


def numbers(values: Any, field: str) -> npt.NDArray[Any]:
    """Return ``values`` as an array of real numbers, of the kind they are.

    Raises:
        InvalidInput: rows of mixed length, or something that is no number.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise _ragged(values, field) from error
    if array.dtype.kind not in "fiu":
        raise InvalidInput(field, f"must hold numbers, not {array.dtype}")
    return array


def refuse_rows(wrong: Any, field: str, problem: str) -> None:
    """Report the first row that the (n,) mask ``wrong`` marks."""
    if np.any(wrong):
        raise InvalidInput(f"{field}.{int(np.argmax(wrong))}", problem)


def _ragged(values: Any, field: str) -> InvalidInput:
    """Return the error that names the first row unlike the one before the others."""
    widths = [np.size(row) if np.ndim(row) == 1 else None for row in _rows(values)]
    for at, width in enumerate(widths):
        if width != widths[0] or width is None:
            return InvalidInput(f"{field}.{at}", f"must be a row of {widths[0]} numbers like all")
    return InvalidInput(field, "must be a rectangular array")


def _rows(values: Any) -> list[Any]:
    try:
        return [list(row) for row in values]
    except TypeError:
        return []


def _members(values: Any, field: str) -> Sequence[Any]:
    try:
        members: Sequence[Any] = list(values)
    except TypeError:
        raise InvalidInput(field, "must be one array a member") from None
    if len(members) < 2:
        raise InvalidInput(field, f"must be of 2 members or more, not {len(members)}")
    return members
