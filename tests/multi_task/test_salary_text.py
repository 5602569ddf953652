"""Salary figures go; years, telephone numbers, head-counts and company money stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel_workers.multi_task import strip_salary


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("Nurse, $30 - $35 an hour, nights", "Nurse, nights"),
        ("Salary: 55000 - 65000 per year", "Salary:"),
        ("£40k-£50k p.a. London", "London"),
        ("50 000 € brutto", "brutto"),
        ("80k-100k base", "base"),
        ("from USD 90,000 to 100,000 annually", "from"),
        ("Pay: 25/hr", "Pay:"),
        ("18.50 per hour", ""),
        ("base salary of 85K and bonus", "base salary of and bonus"),
        ("Compensation range: 95,000-115,000", "Compensation range:"),
        ("$120,000.00/yr", ""),
        ("earn up to 3000 weekly from home", "earn up to from home"),
        ("Cook ($18)", "Cook"),
        ("up to 120K DOE", "up to DOE"),
        ("Pay 12 LPA, Pune", "Pay, Pune"),
        ("8-10 lakh per annum plus bonus", "plus bonus"),
        ("CTC 12,00,000 INR", "CTC"),
        ("Rs. 25,000 per month", ""),
        ("450 000 SEK, Malmö", ", Malmö"),
        ("NOK 600 000 or 600 000 kr", "or"),
        ("15 zł/h", ""),
        ("¥8,000,000 to ¥9,000,000", ""),
        ("R$ 5.000,00", ""),
    ],
)
def test_a_salary_is_taken_out(text: str, stripped: str) -> None:
    assert strip_salary(text) == stripped


@pytest.mark.parametrize(
    "text",
    [
        "Call 555-123-4567 or +1 (212) 555 1234",
        "A team of 5,000 employees in 2020-2024",
        "401(k) match and 401k",
        "A $5 million budget at a $2B company",
        "for companies of 10k-50k employees",
        "We pay attention to 2024 goals",
        "travels 20,000 miles per year",
        "24/7 support, 40 hours per week",
        "founded in 1998, salary negotiable",
        "zip 94105-1234",
        "3 years of experience, 2 days a week",
        "no digits at all",
        "5 lakh customers, 10 crore users",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert strip_salary(text) == text


@given(st.text(alphabet="$£€k0123456789,.- \n/perhouyasl", max_size=200))
def test_stripping_never_fails_and_adds_nothing(text: str) -> None:
    assert len(strip_salary(text)) <= len(text) + 1


@pytest.mark.parametrize("piece", ["$", "1,", "1 ", "9", "salary ", "$1 - ", "salary of "])
def test_a_hundred_thousand_characters_are_no_trap(piece: str) -> None:
    strip_salary(piece * (100_000 // len(piece)) + "1")
