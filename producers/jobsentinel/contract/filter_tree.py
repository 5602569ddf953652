"""The tree of a filter: frozen values that print as text which parses to the same tree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class DaysAgo:
    """The day so many days before the one on which the filter is used, by UTC."""

    days: int

    def __str__(self) -> str:
        return f"{self.days} days ago" if self.days else "today"


Value = str | bool | float | date | DaysAgo


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field beside a value of its kind."""

    field: str
    operator: Operator
    value: Value

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {_shown(self.value)}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text field equals one of ``values``."""

    field: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.field} in ({', '.join(map(_quoted, self.values))})"


@dataclass(frozen=True, slots=True)
class Contains:
    """A text field has ``text`` in it."""

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field} contains {_quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class IsKnown:
    """A field has a value; or, where ``known`` is false, has none."""

    field: str
    known: bool = True

    def __str__(self) -> str:
        return f"{self.field} is {'known' if self.known else 'unknown'}"


@dataclass(frozen=True, slots=True)
class Not:
    """What does not match ``part``; where that asks for an unknown value, neither matches."""

    part: Filter

    def __str__(self) -> str:
        return f"not {_part(self.part)}"


@dataclass(frozen=True, slots=True)
class AllOf:
    """What matches all of two or more parts."""

    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return " and ".join(map(_part, self.parts))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What matches at least one of two or more parts."""

    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return " or ".join(map(_part, self.parts))


Condition = Comparison | OneOf | Contains | IsKnown
Filter = Condition | Not | AllOf | AnyOf


def _part(part: Filter) -> str:
    return f"({part})" if isinstance(part, AllOf | AnyOf) else str(part)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    return _plain(value) if isinstance(value, float) else str(value)


def _plain(number: float) -> str:
    """Return all digits of ``number`` without an exponent, and never 3 behind the point above 1.

    Those are refused, since 80.000 is 80 to some and 80,000 to others.
    """
    whole, _, fraction = format(Decimal(repr(number)), "f").partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) == 3 and number >= 1:
        fraction += "0"
    return f"{whole}.{fraction}" if fraction else whole
