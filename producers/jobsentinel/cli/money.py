"""Salaries as people read them: an estimate with its interval, and what a posting states."""

from __future__ import annotations

from typing import Final

from jobsentinel.contract.results import SalaryPrediction, StatedSalary

_SYMBOLS: Final = {
    "USD": "$",
    "CAD": "CA$",
    "AUD": "A$",
    "NZD": "NZ$",
    "SGD": "S$",
    "BRL": "R$",
    "GBP": "£",
    "EUR": "€",
    "INR": "₹",
    "JPY": "¥",
}
_PERIODS: Final = {"hour": "hr", "day": "day", "week": "wk", "month": "mo", "year": "yr"}


def estimate(salary: SalaryPrediction) -> str:
    """Return an estimate in USD a year, such as ``$62k (48k–81k)``."""
    # Whole thousands: an estimate is not known more closely than that.
    value, low, high = (short(round(usd, -3)) for usd in (salary.value, salary.low, salary.high))
    return f"${value} ({low}–{high})"


def stated(salary: StatedSalary) -> str:
    """Return a stated salary, such as ``stated $60–70k/yr``."""
    symbol = _SYMBOLS.get(salary.currency or "") or f"{salary.currency or ''} ".lstrip()
    return f"stated {_figures(salary, symbol)}/{_PERIODS[salary.period]}"


def _figures(salary: StatedSalary, symbol: str) -> str:
    if salary.low is None or salary.high is None:
        lead, end = ("up to", salary.high) if salary.low is None else ("from", salary.low)
        return f"{lead} {symbol}{short(end or 0)}"
    low, high = short(salary.low), short(salary.high)
    if low == high:
        return f"{symbol}{high}"
    unit = high[-1]
    # "60–70k" when both ends are in thousands or both in millions.
    return f"{symbol}{low.removesuffix(unit) if unit.isalpha() else low}–{high}"


def short(amount: float) -> str:
    """Return an amount in three digits, such as ``28.5``, ``62k`` or ``1.25M``; hours in cents."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        # What would be rounded up to a thousand goes to the next unit.
        if amount >= size * 0.9995:
            return f"{amount / size:.3g}{unit}"
    return f"{amount:.2f}".removesuffix(".00")
