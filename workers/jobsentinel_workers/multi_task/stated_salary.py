"""The salary that a posting states, read from its words: nothing is guessed or converted.

A figure counts as a salary when a pay word ("salary", "rate") or a period ("an hour") marks it,
or when it is a range of money that nothing else claims. Telephone numbers, dates, head-counts,
pension plans, bonuses and company money do not count. When in doubt, there is no salary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from jobsentinel.contract.text import normalise
from jobsentinel_workers.multi_task.salary_patterns import YEAR
from jobsentinel_workers.multi_task.salary_reading.bounds import infer_period, is_plausible
from jobsentinel_workers.multi_task.salary_reading.evidence import (
    counts_something,
    ends_clause,
    is_followed_by_pay,
    is_other_money,
    pay_word_before,
    stands_alone,
)
from jobsentinel_workers.multi_task.salary_reading.figures import plain
from jobsentinel_workers.multi_task.salary_reading.periods import PER_YEAR, Period, period_before
from jobsentinel_workers.multi_task.salary_reading.ranges import PayRange, pay_ranges

_LINKED: Final = re.compile(
    r"\w+\W{0,3}(?:(?:is|are|of|range[sd]?|scale|rate|band|level|salary|from|between|up|to|at|approx"
    r"|approximately|around|about|starting|starts|begins?|currently|per|an?|hour|year|annum|month"
    r"|week|day|hourly|annual|yearly|monthly|weekly|daily|gross|base|the|in|will|be|von|zwischen"
    r"|ab|bis|min|max|minimum|maximum|target|pay|wage)\b\W{0,3}){0,6}",
    re.IGNORECASE,
)
_TOUCHED_BEFORE: Final = re.compile(r"[\w/#@$£€₹¥+.*-]$")
_TOUCHED_AFTER: Final = re.compile(r"\w|\s?[-/:.]\s?\d|[^\S\n]\d|%")
_CHAINED: Final = re.compile(r"\s?[-/]\s?\d")
_A_YEAR: Final = re.compile(YEAR)
_STRICTNESS: Final = 4
"""A period named before a figure holds only where the figure fits it well: "weekly pay: $20"."""


@dataclass(frozen=True, slots=True)
class StatedSalary:
    """A salary as stated, in ``currency`` a ``period``.

    One figure stands at both ends. "Up to" leaves ``low`` open, "from" and a plus sign ``high``;
    one of them is always there. ``currency`` is None where none is stated.
    """

    low: float | None
    high: float | None
    currency: str | None
    period: Period
    text: str
    """The words that state it."""

    @property
    def low_year(self) -> float | None:
        """The low end for a full-time year: 2,080 hours, 260 days, 52 weeks or 12 months."""
        return _a_year(self.low, self.period)

    @property
    def high_year(self) -> float | None:
        """The high end, likewise."""
        return _a_year(self.high, self.period)


def parse_salary(text: str) -> StatedSalary | None:
    """Return the salary that ``text`` states most clearly, or None.

    Of several the clearest counts: marked by a pay word, marked by a period, a range rather than
    one figure; of equals the first. Where no period is named, 5 to 200 dollars are an hour's pay,
    10,000 and more a year's, and nothing is read between; other currencies have bounds of their
    own in `salary_reading.bounds`.

    Example:
        >>> parse_salary("Nurse, $30 - $35 an hour, 401k, since 1998").high
        35.0
    """
    return _clearest(text, is_field=False)


def parse_stated_salary(field: str | None, text: str) -> StatedSalary | None:
    """Return the salary of a posting: its own field decides, then its text.

    In the field a bare range such as ``52000-61000`` is a salary too.
    """
    stated = _clearest(normalise(field), is_field=True) if field else None
    return stated or parse_salary(text)


def _clearest(text: str, *, is_field: bool) -> StatedSalary | None:
    clear, best = 0, None
    plain_text = plain(text)
    for pay in pay_ranges(plain_text, alone=is_field):
        weighed = _weigh(plain_text, pay, is_field)
        if weighed is not None and weighed[0] > clear:
            clear, period = weighed
            best = StatedSalary(pay.low, pay.high, pay.currency, period, text[pay.lead : pay.stop])
    return best


def _weigh(text: str, pay: PayRange, is_field: bool) -> tuple[int, Period] | None:
    """Return how clearly a range is a salary, and its period, or None if it is none."""
    lead = pay_word_before(text, pay.start)
    if lead == "" or _is_something_else(text, pay):
        return None
    worded = lead is not None or is_followed_by_pay(text, pay.stop)
    named = _named_period(text, pay, lead or "")
    period = named or infer_period(pay.ends, pay.currency)
    if period is None or not is_plausible(pay.ends, pay.currency, period):
        return None
    if is_field:
        # A pay word is no news there: "€30,000 + commission (OTE €42,000)".
        worded = False
        salary = not pay.is_bare or stands_alone(text, pay.lead, pay.stop)
    else:
        salary = _is_salary(text, pay, lead, worded, named)
    return (1 + 2 * (worded + (named is not None) + pay.has_both), period) if salary else None


def _named_period(text: str, pay: PayRange, lead: str) -> Period | None:
    if pay.period is not None:
        return pay.period
    before = period_before(text[max(0, pay.start - 40) : pay.start], lead)
    if before is None:
        return None
    fits = is_plausible(pay.ends, pay.currency, before, strictness=_STRICTNESS)
    return before if fits else None


def _is_salary(
    text: str, pay: PayRange, lead: str | None, worded: bool, named: Period | None
) -> bool:
    if pay.is_bare:
        return _is_bare_salary(text, pay, lead)
    if worded or (named and pay.currency):
        return True
    if pay.has_both and min(pay.ends) >= 10_000:
        counted = pay.currency is None and counts_something(text, pay.start)
        return ends_clause(text, pay.stop) and not counted
    return stands_alone(text, pay.lead, pay.stop)


def _is_bare_salary(text: str, pay: PayRange, lead: str | None) -> bool:
    """Bare numbers count many things: they need a pay word right before, or an hour or year."""
    if lead is not None and _LINKED.fullmatch(lead):
        large = pay.has_both or min(pay.ends) >= 10_000
        return pay.period is not None or (large and ends_clause(text, pay.stop))
    if pay.period == "hour":
        return all(5 <= end < 200 for end in pay.ends)
    return pay.period == "year" and min(pay.ends) >= 10_000


def _is_something_else(text: str, pay: PayRange) -> bool:
    if _CHAINED.match(text, pay.stop) or is_other_money(text, pay.stop):
        return True
    return pay.is_bare and _is_touched(text, pay)


def _is_touched(text: str, pay: PayRange) -> bool:
    """Return whether a bare number is part of something longer, or a span of years."""
    years = all(_A_YEAR.fullmatch(f"{end:.0f}") for end in pay.ends)
    return bool(
        (years and pay.period is None)
        or _TOUCHED_BEFORE.search(text, max(0, pay.start - 1), pay.start)
        or _TOUCHED_AFTER.match(text, pay.stop)
    )


def _a_year(figure: float | None, period: Period) -> float | None:
    return None if figure is None else round(figure * PER_YEAR[period], 2)
