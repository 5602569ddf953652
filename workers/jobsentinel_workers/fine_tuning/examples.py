"""Labelled rows, checked field by field, as examples to learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MAX_SHORT_TEXT_CHARS, MAX_TEXT_CHARS
from jobsentinel.contract.text import normalise
from jobsentinel.contract.training_rows import MAX_ROW_WEIGHT
from jobsentinel_workers.fine_tuning.config import TaskKind


@dataclass(frozen=True, slots=True)
class Example:
    """One or two texts and what is to be learnt: a class, a number, or a score from 0 to 1."""

    texts: tuple[str, ...]
    target: str | float
    scored: bool = True
    """False for a pair that only says that its texts belong together."""
    weight: float | None = None
    """How many rows it counts as in the loss; None is one."""


TARGET_FIELDS: Final[Mapping[TaskKind, str]] = MappingProxyType(
    {"classification": "label", "regression": "value", "similarity": "score", "reranker": "score"}
)
POSITIVE: Final = 1.0
"""The score of a pair that was given without one: its texts belong together."""
_TEXT_FIELDS: Final[Mapping[TaskKind, tuple[str, ...]]] = MappingProxyType(
    {
        "classification": ("text",),
        "regression": ("text",),
        "similarity": ("text_a", "text_b"),
        "reranker": ("query", "text"),
    }
)
MAX_WHOLE_LABEL: Final = 10**18
_IGNORED: Final = frozenset({"id"})


def task_of(row: Any, place: str) -> TaskKind:
    """Return the task that a row's fields speak of.

    Raises:
        InvalidInput: the row is no mapping or has none of the fields.
    """
    _check_mapping(row, place)
    if "query" in row:
        return "reranker"
    if "text_a" in row or "text_b" in row:
        return "similarity"
    for task, field in TARGET_FIELDS.items():
        if field in row:
            return task
    raise InvalidInput(
        place, f"must have one of {', '.join(dict.fromkeys(TARGET_FIELDS.values()))}"
    )


def read_example(row: Any, task: TaskKind, place: str) -> Example:
    """Return the example in ``row``; ``place`` names the row in errors.

    Raises:
        InvalidInput: naming the row and the field: missing, unknown, of the wrong kind, empty,
            too long or not finite.
    """
    _check_mapping(row, place)
    target = TARGET_FIELDS[task]
    weighted = {"weight"} if task == "reranker" else set()
    unknown = sorted(map(str, row.keys() - {*_TEXT_FIELDS[task], target} - _IGNORED - weighted))
    if unknown:
        raise InvalidInput(f"{place}.{unknown[0]}", f"is not a field of a {task} row")
    texts = tuple(_read_text(row, field, place) for field in _TEXT_FIELDS[task])
    if task == "similarity" and row.get(target) is None:
        return Example(texts, POSITIVE, scored=False)
    read = _READERS[task](_get(row, target, place), f"{place}.{target}")
    return Example(texts, read, weight=_read_weight(row.get("weight"), f"{place}.weight"))


def _check_mapping(row: Any, place: str) -> None:
    if not isinstance(row, Mapping):
        raise InvalidInput(place, f"must be an object with fields, not {type(row).__name__}")


def _get(row: Mapping[str, Any], field: str, place: str) -> Any:
    if field not in row:
        raise InvalidInput(f"{place}.{field}", "is missing")
    return row[field]


def _read_text(row: Mapping[str, Any], field: str, place: str) -> str:
    return read_text(_get(row, field, place), f"{place}.{field}")


def read_text(value: object, field: str) -> str:
    """Return ``value`` as a normalised text.

    Raises:
        InvalidInput: it is no text, empty, too long, or broken Unicode.
    """
    if not isinstance(value, str):
        raise InvalidInput(field, f"must be text, not {type(value).__name__}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput(field, "must not hold half a surrogate pair")
    if len(value) > MAX_TEXT_CHARS:
        raise InvalidInput(field, f"must be at most {MAX_TEXT_CHARS} characters")
    text = normalise(value)
    if not text:
        raise InvalidInput(field, "must not be empty")
    return text


def _read_label(value: Any, field: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and abs(value) > MAX_WHOLE_LABEL:
        raise InvalidInput(field, f"must be a whole number up to {MAX_WHOLE_LABEL}, or text")
    if not isinstance(value, str | int):
        kind = type(value).__name__
        raise InvalidInput(field, f"must be text, a whole number or a truth value, not {kind}")
    label = normalise(str(value))
    if not 0 < len(label) <= MAX_SHORT_TEXT_CHARS:
        raise InvalidInput(field, f"must be 1 to {MAX_SHORT_TEXT_CHARS} characters")
    return label


def _read_number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(field, f"must be a number, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput(field, "must not be NaN or infinite")
    return number


def _read_score(value: Any, field: str) -> float:
    score = _read_number(value, field)
    if not 0 <= score <= 1:
        raise InvalidInput(field, "must be from 0 to 1")
    return score


def _read_weight(value: Any, field: str) -> float | None:
    if value is None:
        return None
    weight = _read_number(value, field)
    if not 0 < weight <= MAX_ROW_WEIGHT:
        raise InvalidInput(field, f"must be above 0 and at most {MAX_ROW_WEIGHT:,.0f}")
    return weight


_READERS: Final[Mapping[TaskKind, Callable[[Any, str], str | float]]] = MappingProxyType(
    {
        "classification": _read_label,
        "regression": _read_number,
        "similarity": _read_score,
        "reranker": _read_score,
    }
)
