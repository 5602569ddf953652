"""Columns of tables held against the fields of the rows that a task learns from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, get_args

from jobsentinel.contract.base import Message, first_duplicate
from jobsentinel.contract.errors import InvalidInput

IGNORED: Final = frozenset({"id", "__index_level_0__"})
"""Columns that are no part of a row: a name for it, and the index that pandas writes."""

_TRUTH: Final[Mapping[str, bool]] = MappingProxyType(
    {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
)

Reading = Callable[[str], Any]


def without_ignored(row: object) -> object:
    """Return a row without the columns that are no part of it."""
    if isinstance(row, dict):
        return {name: value for name, value in row.items() if name not in IGNORED}
    return row


def check_columns(columns: Sequence[str], kind: type[Message], name: str) -> None:
    """Look whether a table has the columns of ``kind``, and no others.

    Raises:
        InvalidInput: names the column, with what it may have been meant for.
    """
    given = [column for column in columns if column not in IGNORED]
    if repeated := first_duplicate(given):
        raise InvalidInput(f"{name}: {repeated[1]}", "is the name of two columns")
    for field, about in kind.model_fields.items():
        if about.is_required() and field not in given:
            raise InvalidInput(f"{name}: {field}", missing_among(field, given))
    for column in given:
        if column not in kind.model_fields:
            known = list(kind.model_fields)
            problem = f"is not a column of such a dataset{nearest(column, known)}"
            raise InvalidInput(f"{name}: {column or 'a column'}", problem)


def missing_among(field: str, columns: Sequence[str]) -> str:
    """Say of a field that it is missing, among which columns, and which of them is nearest."""
    listed = ", ".join(repr(column[:40]) for column in columns[:10])
    return f"is missing among the columns {listed}{nearest(field, columns)}"


def nearest(name: str, among: Sequence[str]) -> str:
    """Return the end of a message that names what is most like ``name``; empty if nothing is."""
    by_fold = {each.strip().casefold(): each for each in among}
    found = difflib.get_close_matches(name.strip().casefold(), by_fold, n=1)
    return f"; the nearest is {by_fold[found[0]]!r}" if found else ""


def readings(kind: type[Message]) -> dict[str, Reading]:
    """Return for each field how a cell of text becomes its value."""
    return {name: _reading(about.annotation) for name, about in kind.model_fields.items()}


def _reading(annotation: Any) -> Reading:
    types = _types(annotation)
    if float in types:
        return _number
    return _truth if bool in types else str


def _types(annotation: Any) -> set[Any]:
    """Return the types in an annotation such as ``Annotated[float, ...] | None``."""
    parts = get_args(annotation)
    return set().union(*map(_types, parts)) if parts else {_hashable(annotation)}


def _hashable(part: Any) -> Any:
    return part if isinstance(part, type) else None  # what limits a type is none


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise InvalidInput("", f"must be a number such as 0.5, not {cell[:40]!r}") from None


def _truth(cell: str) -> bool:
    value = _TRUTH.get(cell.strip().casefold())
    if value is None:
        raise InvalidInput("", f"must be true or false, not {cell[:40]!r}")
    return value
