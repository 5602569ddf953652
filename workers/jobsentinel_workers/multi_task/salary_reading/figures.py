"""Figures in a text with the marks they carry: currency, thousands, lakh, period.

The reading starts at a number and looks at no more than a few characters on either side. With a
limit on the numbers that are looked at, a hostile text takes hardly longer than a real one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from jobsentinel_workers.multi_task.salary_reading.currencies import (
    UNREAD,
    agreed,
    currency_after,
    currency_before,
)
from jobsentinel_workers.multi_task.salary_reading.periods import Period, period_after

# Blanks, apostrophes and dashes of all kinds, each to the one that the patterns know.
_PLAIN: Final = (
    dict.fromkeys("\t\u00a0\u2007\u2009\u202f", " ")
    | dict.fromkeys("`\u00b4\u2018\u2019\uff07", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
_UNPLAIN: Final = re.compile(f"[{''.join(_PLAIN)}]")
_DIGITS: Final = re.compile(r"\d+")
_MOST_FIGURES: Final = 1_000
"""Of a text; a posting has a few dozen."""
_PENSION_PLAN: Final = r"40[13]\s?[kKbB]\b|457\s?[bB]\b"
_NUMBER: Final = re.compile(
    rf"(?<!\d[.,'])(?!{_PENSION_PLAN}|0\d)"
    r"(?:\d{1,3}(?P<separator>[,.' ])\d{3}(?:(?P=separator)\d{3}){0,2}"
    r"|\d{1,2}(?:,\d{2}){1,3},\d{3}|\d{1,9})"
    r"(?P<cents>[.,]\d{1,2}|\.\d{4})?(?![.,']?\d|, 000)"
)
_NO_PAY, _THOUSAND, _LAKH = 0.0, 1e3, 1e5
_SCALES: Final = (
    (
        re.compile(
            r"\s?-?\s?(?i:million|billion|trillion|crores?|mil|mln|mn|mm|bn)(?![a-z])"
            r"|[MB](?![A-Za-z])|\s?%"
        ),
        _NO_PAY,
    ),
    (re.compile(r"\s?(?:[kK]|(?i:thousand))(?![a-z\d])"), _THOUSAND),
    (re.compile(r"\s?(?:(?i:lakhs?|lacs?)(?![a-z])|(?i:L(?=PA\b)))"), _LAKH),
)
_RUPEES_LAKH: Final = re.compile(r"\s?L(?![A-Za-z])")
_PLUS: Final = re.compile(r"\+(?!\s?(?i:bonus|commission|tips|benefits|equity|super|\d))")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a text with its marks, which begin at ``start`` and end at ``stop``."""

    start: int
    stop: int
    amount: float
    """As written: 80 in ``$80k``."""
    scale: float
    """1, 1,000 or 100,000; 0 for what is never pay, such as millions and percentages."""
    currency: str | None
    period: Period | None
    plus: bool
    """Whether a plus sign leaves it open above."""

    @property
    def value(self) -> float:
        """The figure in units of its currency."""
        return round(self.amount * self.scale, 4)

    @property
    def may_be_pay(self) -> bool:
        """Whether it is of a size and a currency that are read."""
        return self.scale != _NO_PAY and self.currency != UNREAD

    @property
    def is_bare(self) -> bool:
        """Whether neither a currency nor thousands mark it as money."""
        return self.currency is None and self.scale == 1

    def in_units_of(self, scale: float) -> Figure:
        """Return the figure in thousands or lakh, as the other end of its range is."""
        return replace(self, scale=scale)


def plain(text: str) -> str:
    """Return ``text``, of the same length, with one kind of blank, apostrophe and dash."""
    return _UNPLAIN.sub(lambda found: _PLAIN[found[0]], text)


def figures(text: str, *, alone: bool = False) -> Iterator[Figure]:
    """Yield the figures of a text that `plain` made, in order.

    Args:
        text: The text.
        alone: Whether a unit will do as a period, such as ``YEAR``.
    """
    for number in islice(_numbers(text), _MOST_FIGURES):
        yield _figure(text, number, alone)


def _numbers(text: str) -> Iterator[re.Match[str]]:
    # Looking for digits first is several times faster than looking for numbers.
    end = 0
    for digits in _DIGITS.finditer(text):
        if digits.start() >= end and (number := _NUMBER.match(text, digits.start())):
            yield number
            end = number.end()


def _figure(text: str, number: re.Match[str], alone: bool) -> Figure:
    before, start = currency_before(text, number.start())
    scale, stop = _scale(text, number.end(), before)
    after, stop = currency_after(text, stop)
    currency = agreed(before, after)
    plus = _PLUS.match(text, stop)
    # A unit needs no "per" where a currency makes the figure money: "$20 hour".
    period, stop = period_after(
        text, plus.end() if plus else stop, alone=alone or currency is not None
    )
    if period is not None and currency == "USD":
        # "$23 an hour CAD"
        late, stop = currency_after(text, stop)
        currency = agreed(currency, late)
    return Figure(
        start=start,
        stop=stop,
        amount=_amount(number),
        scale=scale,
        currency=agreed(currency, "INR") if scale == _LAKH else currency,
        period=period,
        plus=plus is not None,
    )


def _scale(text: str, position: int, currency: str | None) -> tuple[float, int]:
    """Return what a number counts, units or thousands or lakh, and where that is said."""
    for pattern, scale in _SCALES:
        if found := pattern.match(text, position):
            return scale, found.end()
    if currency == "INR" and (found := _RUPEES_LAKH.match(text, position)):
        return _LAKH, found.end()
    return 1, position


def _amount(number: re.Match[str]) -> float:
    cents = number["cents"] or ""
    whole = number[0].removesuffix(cents)
    return float("".join(filter(str.isdigit, whole)) + cents.replace(",", "."))
