"""Figures joined to ranges, and single ones that "up to" or "from" makes one end of a range."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jobsentinel_workers.multi_task.salary_reading.currencies import UNREAD, agreed
from jobsentinel_workers.multi_task.salary_reading.figures import Figure, figures
from jobsentinel_workers.multi_task.salary_reading.periods import Period

_TO: Final = re.compile(
    r"\s{0,3}(?:-{1,2}>?|to|up to|bis(?: zu)?|à|and|und|et)\s{0,3}", re.IGNORECASE
)
_BETWEEN: Final = re.compile(r"\b(?:between|from|zwischen|entre|ranges?)\W{0,2}$", re.IGNORECASE)
_UP_TO: Final = re.compile(
    r"\b(?:up ?to|max(?:imum)?\.?(?: of)?|as much as|bis(?: zu)?|jusqu'à)[\s:]{0,2}$", re.IGNORECASE
)
_FROM: Final = re.compile(
    r"\b(?:from|start(?:s|ing)?(?: (?:at|from|wage|pay|salary|rate|of|is|base)){0,3}"
    r"|min(?:imum)?\.?(?: of)?|at least|no less than|more than|over|ab|à partir de)[\s:]{0,2}$",
    re.IGNORECASE,
)
_LEAD_CHARS: Final = 40
_WIDEST: Final = 10
"""A range whose ends are farther apart is none, or holds a typing error."""


@dataclass(frozen=True, slots=True)
class PayRange:
    """A low and a high end, or one of them, with the marks of both."""

    lead: int
    """Where it begins with "up to" or "from"."""
    start: int
    """Where its figures begin."""
    stop: int
    low: float | None
    high: float | None
    currency: str | None
    period: Period | None
    is_bare: bool
    """Whether neither a currency nor thousands mark it as money."""

    @property
    def ends(self) -> list[float]:
        """The ends that there are."""
        return [end for end in (self.low, self.high) if end is not None]

    @property
    def has_both(self) -> bool:
        """Whether it states two ends that differ."""
        return self.low is not None and self.high is not None and self.low != self.high


def pay_ranges(text: str, *, alone: bool = False) -> Iterator[PayRange]:
    """Yield ranges and single figures of a text that `plain` made, in order."""
    first: Figure | None = None
    for figure in figures(text, alone=alone):
        if first is None:
            first = figure
        elif _are_joined(text, first, figure):
            yield from _range(first, figure)
            first = None
        else:
            yield from _single(text, first)
            first = figure
    if first is not None:
        yield from _single(text, first)


def _are_joined(text: str, low: Figure, high: Figure) -> bool:
    joint = _TO.fullmatch(text, low.stop, high.start)
    if joint is None:
        return False
    if joint[0].strip().lower() not in {"and", "und", "et"}:
        return True
    return bool(_BETWEEN.search(text, max(0, low.start - _LEAD_CHARS), low.start))


def _range(low: Figure, high: Figure) -> Iterator[PayRange]:
    low, high = _alike(low, high)
    currency = agreed(low.currency, high.currency)
    periods = {low.period, high.period} - {None}
    readable = low.may_be_pay and high.may_be_pay and currency != UNREAD and len(periods) < 2
    if readable and low.value <= high.value <= _WIDEST * low.value:
        yield PayRange(
            lead=low.start,
            start=low.start,
            stop=high.stop,
            low=low.value,
            high=high.value,
            currency=currency,
            period=next(iter(periods), None),
            is_bare=low.is_bare and high.is_bare,
        )


def _alike(low: Figure, high: Figure) -> tuple[Figure, Figure]:
    """Return both ends in thousands where only one says so: "80-100k", "£25-30,000"."""
    if low.amount < 1000 and low.scale == 1 and low.period is None:
        if high.scale > 1:
            return low.in_units_of(high.scale), high
        if high.amount >= 10_000 and low.amount * 1000 <= high.amount:
            return low.in_units_of(1000), high
    if high.amount < 1000 and high.scale == 1 and low.scale > 1:
        return low, high.in_units_of(low.scale)
    return low, high


def _single(text: str, figure: Figure) -> Iterator[PayRange]:
    if not figure.may_be_pay:
        return
    begin = max(0, figure.start - _LEAD_CHARS)
    up_to = _UP_TO.search(text, begin, figure.start)
    start_at = None if up_to else _FROM.search(text, begin, figure.start)
    lead = up_to or start_at
    yield PayRange(
        lead=lead.start() if lead else figure.start,
        start=figure.start,
        stop=figure.stop,
        low=None if up_to else figure.value,
        high=None if start_at or (figure.plus and not up_to) else figure.value,
        currency=figure.currency,
        period=figure.period,
        is_bare=figure.is_bare,
    )
