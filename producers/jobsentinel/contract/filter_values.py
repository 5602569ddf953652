"""Reading the values of a filter: numbers and dates as people write them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Final

from jobsentinel.contract.filter_tokens import Token, filter_fault

_NUMBER: Final = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)?(\.\d+)?([kK])?", re.ASCII)
_THOUSANDS_BY_DOT: Final = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,9}", re.ASCII)
_MAX_SALARY: Final = 1e12
_MAX_DAYS: Final = 36_500


def salary(token: Token) -> float:
    """Return the number in ``token``, such as 80000, 80_000, 80,000 or 80k.

    Raises:
        InvalidInput: anything else; 80.000 too, which is 80 to some and 80,000 to others.
    """
    if _THOUSANDS_BY_DOT.fullmatch(token.written):
        plain = token.written.replace(".", "")
        raise filter_fault(
            token.place, f"{token} could be read in two ways; write {plain} or a point and 2 digits"
        )
    number = _number(token, "80000, 80_000, 80,000 or 80k")
    if number > _MAX_SALARY:
        raise filter_fault(token.place, f"{token} is more than {_MAX_SALARY:,.0f}")
    return number


def probability(token: Token) -> float:
    """Return the number from 0 to 1 in ``token``.

    Raises:
        InvalidInput: no number, or another one.
    """
    number = _number(token, "a number from 0 to 1 such as 0.3")
    if number > 1:
        raise filter_fault(token.place, f"{token} is more than 1; write it from 0 to 1, as 0.3")
    return number


def calendar_date(written: str, place: int) -> date:
    """Return the date in ``written``.

    Raises:
        InvalidInput: another form, or a day that no month has.
    """
    if not _DATE.fullmatch(written):
        raise filter_fault(
            place, f"{written!r} is no date; write 2026-11-23, today, 14 days ago or 2 weeks ago"
        )
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise filter_fault(place, f"{written} is a day that does not exist") from None


def days_ago(token: Token, days_each: int) -> int:
    """Return how many days ``token``, a number of days or weeks, stands for.

    Raises:
        InvalidInput: no whole number, or more than a century.
    """
    if not _COUNT.fullmatch(token.written):
        raise filter_fault(token.place, f"{token} is no whole number of days or weeks")
    days = int(token.written) * days_each
    if days > _MAX_DAYS:
        raise filter_fault(token.place, f"{days:,} days are more than {_MAX_DAYS:,}")
    return days


def _number(token: Token, forms: str) -> float:
    found = _NUMBER.fullmatch(token.written) if token.kind == "figure" else None
    if found is None:
        raise filter_fault(token.place, f"{token} is no number; write {forms}")
    whole, fraction, thousand = found.groups(default="")
    plain = whole.replace(",", "").replace("_", "") + fraction
    # In decimal, so that 80.1k is the very number that 80100 is.
    return float(Decimal(plain) * (1_000 if thousand else 1))
