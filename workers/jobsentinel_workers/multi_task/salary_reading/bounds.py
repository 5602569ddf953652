"""Which figures of a currency can be pay, and which period they name by their size alone.

The bounds are wide, and nothing is converted by them: they tell an hourly wage from a yearly
salary, and both from a figure that is no pay. Where pay is commonly stated by the month, as in
Swiss francs or Swedish kronor, a figure counts as yearly only when it is too large for a month.
Between an hour's and a year's pay nothing is inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobsentinel_workers.multi_task.salary_reading.periods import PER_YEAR, Period


@dataclass(frozen=True, slots=True)
class Bounds:
    """Hourly pay from and below, yearly pay from, and the least and most of a year's pay."""

    hour_from: float = 5
    hour_below: float = 200
    year_from: float = 10_000
    least_year: float = 1_000
    most_year: float = 10_000_000


_DEFAULT: Final = Bounds()
_KRONOR: Final = Bounds(80, 1_000, 150_000, 10_000, 100_000_000)
_BY_MONTH: Final = Bounds(year_from=30_000)
_BOUNDS: Final = {
    "CHF": _BY_MONTH,
    "SGD": _BY_MONTH,
    "SEK": _KRONOR,
    "NOK": _KRONOR,
    "DKK": _KRONOR,
    "PLN": Bounds(15, 400, 60_000, 4_000, 40_000_000),
    "BRL": Bounds(5, 400, 60_000, 4_000, 40_000_000),
    "ZAR": Bounds(20, 1_500, 150_000, 10_000, 100_000_000),
    "JPY": Bounds(800, 10_000, 1_500_000, 100_000, 1_000_000_000),
    # Hourly wages are rare in rupees, and a month's pay can be above 100,000.
    "INR": Bounds(0, 0, 200_000, 20_000, 1_000_000_000),
}


def infer_period(figures: Sequence[float], currency: str | None) -> Period | None:
    """Return the period that all ``figures`` fit by their size, or None when in doubt."""
    bounds = _of(currency)
    if all(bounds.hour_from <= figure < bounds.hour_below for figure in figures):
        return "hour"
    return "year" if all(figure >= bounds.year_from for figure in figures) else None


def is_plausible(
    figures: Sequence[float], currency: str | None, period: Period, *, strictness: float = 1
) -> bool:
    """Return whether figures a period can be pay; ``strictness`` narrows the bounds."""
    bounds, per_year = _of(currency), PER_YEAR[period]
    least, most = bounds.least_year * strictness, bounds.most_year / strictness
    return all(least <= figure * per_year <= most for figure in figures)


def _of(currency: str | None) -> Bounds:
    # A figure without a currency is judged as one of dollars, euros or pounds.
    return _DEFAULT if currency is None else _BOUNDS.get(currency, _DEFAULT)
