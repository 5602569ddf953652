"""Amounts of money as the tables show them."""

from __future__ import annotations

import pytest

from jobsentinel.cli.money import estimate, short, stated
from jobsentinel.contract.results import SalaryPrediction, StatedSalary


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (18.0, "18"),
        (18.5, "18.50"),
        (28.4135, "28.41"),
        (950.0, "950"),
        (999.6, "1k"),
        (4_200.0, "4.2k"),
        (61_849.3, "61.8k"),
        (62_000.0, "62k"),
        (999_600.0, "1M"),
        (1_250_000.0, "1.25M"),
    ],
)
def test_an_amount_has_three_digits(amount: float, shown: str) -> None:
    assert short(amount) == shown


def test_an_estimate_shows_whole_thousands_and_its_interval() -> None:
    salary = SalaryPrediction(value=61_849.3, low=48_210.0, high=1_081_000.0)

    assert estimate(salary) == "$62k (48k–1.08M)"


@pytest.mark.parametrize(
    ("low", "high", "currency", "period", "shown"),
    [
        (60_000, 70_000, "USD", "year", "stated $60–70k/yr"),
        (60_000, 60_000, "GBP", "year", "stated £60k/yr"),
        (900_000, 1_200_000, "INR", "year", "stated ₹900k–1.2M/yr"),
        (18.5, 21, "EUR", "hour", "stated €18.50–21/hr"),
        (None, 150, "USD", "day", "stated up to $150/day"),
        (45_000, None, "SEK", "month", "stated from SEK 45k/mo"),
        (800, 900, None, "week", "stated 800–900/wk"),
    ],
)
def test_a_stated_salary_keeps_its_currency_and_period(
    low: float | None, high: float | None, currency: str | None, period: str, shown: str
) -> None:
    salary = StatedSalary.parse(
        {"low": low, "high": high, "currency": currency, "period": period, "text": "as found"}
    )

    assert stated(salary) == shown
