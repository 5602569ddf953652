"""A stated salary is read as it is stated; whatever else a number can be is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel.contract.text import normalise
from jobsentinel_workers.multi_task import strip_salary
from jobsentinel_workers.multi_task.stated_salary import (
    StatedSalary,
    parse_salary,
    parse_stated_salary,
)

Facts = tuple[float | None, float | None, str | None, str]


def facts(stated: StatedSalary | None) -> Facts | None:
    return stated and (stated.low, stated.high, stated.currency, stated.period)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # ranges
        ("Nurse, $30 - $35 an hour, nights", (30, 35, "USD", "hour")),
        ("Salary: 55000 - 65000 per year", (55_000, 65_000, None, "year")),
        ("£40k–£50k p.a. London", (40_000, 50_000, "GBP", "year")),
        ("80-100k", (80_000, 100_000, None, "year")),
        ("$80k — $100k", (80_000, 100_000, "USD", "year")),
        ("from USD 90,000 to 100,000 annually", (90_000, 100_000, "USD", "year")),
        ("von 50.000 bis 60.000 € pro Jahr", (50_000, 60_000, "EUR", "year")),
        ("de 45 000 à 55 000 € brut annuel", (45_000, 55_000, "EUR", "year")),
        ("between $40,000 and $50,000", (40_000, 50_000, "USD", "year")),
        ("£25-30,000 per annum", (25_000, 30_000, "GBP", "year")),
        ("a salary range of $50-$55k, 401k plan", (50_000, 55_000, "USD", "year")),
        ("Rate: $44/hr to $46/hr. on contract", (44, 46, "USD", "hour")),
        ("Compensation range: 95,000-115,000", (95_000, 115_000, None, "year")),
        ("Pay: $18 - $20", (18, 20, "USD", "hour")),
        ("paying between $23-28/hourly", (23, 28, "USD", "hour")),
        # one figure
        ("$120,000.00/yr", (120_000, 120_000, "USD", "year")),
        ("base salary of 85K and bonus", (85_000, 85_000, None, "year")),
        ("80k", (80_000, 80_000, None, "year")),
        ("OTE £80k", (80_000, 80_000, "GBP", "year")),
        ("Cook ($18)", (18, 18, "USD", "hour")),
        ("Full-timePay: $20Benefits: dental", (20, 20, "USD", "hour")),
        ("$45 hr", (45, 45, "USD", "hour")),
        # ends
        ("earn up to 3000 weekly from home", (None, 3_000, None, "week")),
        ("up to £60k", (None, 60_000, "GBP", "year")),
        ("salary from £30,000", (30_000, None, "GBP", "year")),
        ("Starting base salary is $55,000 a year", (55_000, None, "USD", "year")),
        ("starting at $16/hr depending on tasks", (16, None, "USD", "hour")),
        ("$90k+ DOE", (90_000, None, "USD", "year")),
        # numbers
        ("45.000 €", (45_000, 45_000, "EUR", "year")),
        ("45.000,50 EUR per year", (45_000.5, 45_000.5, "EUR", "year")),
        ("EUR 60.000,00 - 70.000,00", (60_000, 70_000, "EUR", "year")),
        ("15,00 € / Stunde", (15, 15, "EUR", "hour")),
        ("CHF 90'000–110'000", (90_000, 110_000, "CHF", "year")),
        ("50\u202f000\u00a0€ brutto", (50_000, 50_000, "EUR", "year")),
        ("$28.4135 - $35.1234 hourly", (28.4135, 35.1234, "USD", "hour")),
        ("12-15 LPA", (1_200_000, 1_500_000, "INR", "year")),
        ("₹12 lakh", (1_200_000, 1_200_000, "INR", "year")),
        ("₹ 12,00,000 - ₹ 18,00,000 per annum", (1_200_000, 1_800_000, "INR", "year")),
        # currencies
        ("US$ 5,000 - 6,000 per month", (5_000, 6_000, "USD", "month")),
        ("CA$80,000 - CA$95,000", (80_000, 95_000, "CAD", "year")),
        ("$80,000 CAD a year", (80_000, 80_000, "CAD", "year")),
        ("$23 - $26 per hour CAD", (23, 26, "CAD", "hour")),
        ("A$120k + super", (120_000, 120_000, "AUD", "year")),
        ("NZ$25.50/hr", (25.5, 25.5, "NZD", "hour")),
        ("SGD 4,000 - 5,000 per month", (4_000, 5_000, "SGD", "month")),
        ("¥6,000,000 per year", (6_000_000, 6_000_000, "JPY", "year")),
        ("SEK 45 000 per month", (45_000, 45_000, "SEK", "month")),
        ("NOK 536,200 a year", (536_200, 536_200, "NOK", "year")),
        ("DKK 46,000 - 54,000 a month", (46_000, 54_000, "DKK", "month")),
        ("18 000 - 22 000 PLN per month", (18_000, 22_000, "PLN", "month")),
        ("R$ 8.000 por mês", (8_000, 8_000, "BRL", "month")),
        ("ZAR 25 000 per month", (25_000, 25_000, "ZAR", "month")),
        ("INR 40,000 monthly", (40_000, 40_000, "INR", "month")),
        # periods
        ("Pay: 25/hr", (25, 25, None, "hour")),
        ("18.50 per hour", (18.5, 18.5, None, "hour")),
        ("hourly rate: $25", (25, 25, "USD", "hour")),
        ("£12.21 p.h.", (12.21, 12.21, "GBP", "hour")),
        ("daily rate £500", (500, 500, "GBP", "day")),
        ("Wage: $ 100 USD /one day", (100, 100, "USD", "day")),
        ("$900 a week", (900, 900, "USD", "week")),
        ("Salary (per month): 4,000 EUR", (4_000, 4_000, "EUR", "month")),
        ("$90,000 annual salary", (90_000, 90_000, "USD", "year")),
        ("Weekly pay! Rate: $20", (20, 20, "USD", "hour")),
        # the clearest of several
        ("$5,000 sign-on bonus, salary $60k-$70k", (60_000, 70_000, "USD", "year")),
        ("Salary $50,000 + $5,000 bonus", (50_000, 50_000, "USD", "year")),
        ("$180-230k OTE Base: $90k-115k", (180_000, 230_000, "USD", "year")),
        ("$21/hr in Ohio, $25/hr in Maine", (21, 21, "USD", "hour")),
        ("We raised $20,000,000. Pay: $30/hr", (30, 30, "USD", "hour")),
    ],
)
def test_a_stated_salary_is_read(text: str, expected: Facts) -> None:
    assert facts(parse_salary(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "no digits at all",
        "Salary: competitive",
        "Call 555-123-4567 or +1 (212) 555 1234",
        "pay 800 555 1234",
        "2019-2023",
        "salary review 2019-2023",
        "salary: 2024",
        "Pay date 01/15/2024, base 12.05.2023",
        "401k, 401(k) match, 403(b), $401k",
        "A team of 5,000 employees in 2020-2024",
        "for companies of 10k-50k employees",
        "a team of 10k-50k",
        "80k users",
        "raised $5 million in funding",
        "a Series B of $20,000,000",
        "$75 million - $150 million",
        "$10M ARR",
        "$50k+ in sales per month",
        "selling in deal size of $35k-75k ARR",
        "manage budgets of $50,000 - $100,000",
        "$5,000 SIGN-ON BONUS",
        "a bonus of up to $10,000 a year",
        "referral bonus: $1,000 - $2,000",
        "up to $5,000 tuition reimbursement",
        "a $50,000 equity grant",
        "a monthly $350 healthcare stipend",
        "life insurance up to $50,000",
        "$1,500 per transaction",
        "$250-500 in tips per week",
        "24/7 support, 40 hours per week",
        "20,000 miles per year",
        "50% to 100% per year",
        "commission 10-20%",
        "Pay zone 94105",
        "operating earnings in the range of 60 to 80 cents a share",
        "$1 a year",
        "Salary: $60,000 - $600,000,000",
        "Salary Range: $140.88 - $49.69 Hourly",
        "Pay Range: $ 60, 000 - $90, 000",
        "salary 500 - 900 EUR",
        "HK$30,000 per month",
        "AED 16,000 - 20,000 per month",
        "£40k-$50k",
        "1.2 crore",
        "paying ****14 per hour",
    ],
)
def test_other_numbers_are_no_salary(text: str) -> None:
    assert parse_salary(text) is None


@pytest.mark.parametrize(
    ("text", "a_year"),
    [
        ("$20 an hour", 41_600),
        ("£300 a day", 78_000),
        ("$900 a week", 46_800),
        ("€4,000 a month", 48_000),
        ("$70,000 a year", 70_000),
    ],
)
def test_a_period_becomes_a_full_time_year_in_its_own_currency(text: str, a_year: float) -> None:
    stated = parse_salary(text)

    assert stated is not None
    assert (stated.low_year, stated.high_year) == (a_year, a_year)


def test_an_open_end_stays_open_in_a_year() -> None:
    stated = parse_salary("up to $25 an hour")

    assert stated is not None
    assert (stated.low_year, stated.high_year) == (None, 52_000)


def test_the_words_are_those_of_the_text() -> None:
    stated = parse_salary("Title\nPay: up to $25\u00a0/ hour, plus tips")

    assert stated is not None
    assert stated.text == "up to $25\u00a0/ hour"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("52000-61000", (52_000, 61_000, None, "year")),
        ("52,000 - 61,000", (52_000, 61_000, None, "year")),
        ("60.000 - 70.000", (60_000, 70_000, None, "year")),
        ("40000", (40_000, 40_000, None, "year")),
        ("18.50", (18.5, 18.5, None, "hour")),
        ("USD 80,000.00 - 95,000.00 YEAR", (80_000, 95_000, "USD", "year")),
        ("&pound;30,000", (30_000, 30_000, "GBP", "year")),
        ("€30,000 + commission (OTE €42,000)", (30_000, 30_000, "EUR", "year")),
        ("$5,000 sign-on bonus", (21, 21, "USD", "hour")),
        ("Competitive", (21, 21, "USD", "hour")),
        ("2019-2023", (21, 21, "USD", "hour")),
        ("CHF 5'400 - 6'100 x 13", (21, 21, "USD", "hour")),
        ("1500", (21, 21, "USD", "hour")),
        ("", (21, 21, "USD", "hour")),
        (None, (21, 21, "USD", "hour")),
    ],
)
def test_the_field_comes_before_the_text(field: str | None, expected: Facts) -> None:
    assert facts(parse_stated_salary(field, "Pay: $21/hr")) == expected


_CURRENCIES = {"USD": "$", "GBP": "£", "EUR": "€", "INR": "₹", "CAD": None, "CHF": None}
_PERIODS = {
    "hour": (8, 150, [" an hour", "/hr", " per hour", " hourly"]),
    "day": (100, 900, [" per day", " a day"]),
    "week": (300, 5_000, [" a week", " weekly"]),
    "month": (2_000, 20_000, [" per month", "/month", " monthly"]),
    "year": (25_000, 400_000, [" a year", "/yr", " per annum", " annually", " p.a."]),
}


@st.composite
def phrases(draw: st.DrawFn) -> tuple[str, Facts]:
    """A stated salary in words, and what it states."""
    period = draw(st.sampled_from(list(_PERIODS)))
    least, most, marks = _PERIODS[period]
    currency = draw(st.sampled_from(list(_CURRENCIES)))
    if currency == "INR":
        least, most = 50 * least, 50 * most
    low = draw(st.integers(least, most))
    high = draw(st.integers(low, min(most, 9 * low)))
    separator = draw(st.sampled_from(["", ",", ".", "'", " ", "\u00a0", "\u202f"]))
    symbol = _CURRENCIES[currency]
    mark = draw(st.sampled_from([currency, symbol] if symbol else [currency]))
    before = draw(st.booleans())

    def money(amount: int) -> str:
        number = f"{amount:,}".replace(",", separator)
        glue = "" if mark == symbol else " "
        return f"{mark}{glue}{number}" if before else f"{number} {mark}"

    dash = draw(st.sampled_from([" - ", "-", "–", " — ", " to ", " bis "]))
    amount = money(low) if low == high else money(low) + dash + money(high)
    lead = draw(st.sampled_from(["Pay: ", "Salary ", "", "Compensation range: ", "Nurse, "]))
    text = f"{lead}{amount}{draw(st.sampled_from(marks))}"
    return text, (low, high, currency, period)


_ENDS = st.sampled_from(["", ", full-time", ". Benefits: 401k", " plus bonus", "\nSince 1998"])


@given(phrases(), _ENDS)
def test_what_is_stated_in_many_forms_is_read_back(phrase: tuple[str, Facts], end: str) -> None:
    text, expected = phrase

    assert facts(parse_salary(text + end)) == expected


@given(phrases(), _ENDS)
def test_of_what_was_stripped_nothing_is_read(phrase: tuple[str, Facts], end: str) -> None:
    text, _ = phrase

    assert parse_salary(strip_salary(normalise(text + end))) is None


@given(st.text(alphabet="$£€k0123456789,.-+ \n/perhouyaslLPAto%", max_size=200))
def test_reading_never_fails_and_states_only_what_is_there(text: str) -> None:
    stated = parse_salary(text)

    if stated is not None:
        assert stated.text in text
        assert stated.low is not None or stated.high is not None
        assert stated.low is None or stated.high is None or stated.low <= stated.high


@pytest.mark.parametrize(
    "piece", ["1,", "$", "$$ ", "1 ", "9", "1-", "$1 - ", "1k ", "up to $5 ", "salary ", "$20/hr "]
)
def test_a_million_characters_are_no_trap(piece: str) -> None:
    parse_salary(piece * (1_000_000 // len(piece)) + "1")
