"""Rows of any shape become postings by names that are given or known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.sources.fields import FieldMapping
from jobsentinel_workers.multi_task.stated_salary import parse_salary

JOBSPY = {
    "id": "in-1",
    "site": "indeed",
    "job_url": "https://example.org/1",
    "title": "Nurse",
    "company": "Ward",
    "location": "Leeds, UK",
    "date_posted": date(2026, 11, 2),
    "job_type": "fulltime",
    "interval": "yearly",
    "min_amount": 30000.0,
    "max_amount": 36000.0,
    "currency": "GBP",
    "is_remote": False,
    "job_level": None,
    "description": "**Nights**",
    "emails": None,
    "company_rating": float("nan"),
}


def test_columns_of_jobspy_are_known() -> None:
    posting = FieldMapping().posting(JOBSPY)

    assert posting.source == "indeed"
    assert posting.url == "https://example.org/1"
    assert posting.posted_at == "2026-11-02"
    assert posting.employment_type == "fulltime"
    assert posting.remote is False
    assert posting.salary == "GBP 30000 - 36000 per year"
    assert FieldMapping().unused(list(JOBSPY)) == ["emails", "company_rating"]


def test_its_pay_is_read_as_the_salary_that_a_posting_states() -> None:
    stated = parse_salary(FieldMapping().posting(JOBSPY).salary or "")

    assert stated is not None
    assert (stated.low, stated.high, stated.currency, stated.period) == (30e3, 36e3, "GBP", "year")


@pytest.mark.parametrize(
    ("field", "value", "made"),
    [
        ("id", 17, "17"),
        ("id", 17.0, "17"),
        ("id", np.int64(17), "17"),
        ("title", ["Nurse"], "Nurse"),
        ("location", ["Leeds", "York"], "Leeds, York"),
        ("description", ["one", "two"], "one\ntwo"),
        ("posted_at", datetime(2026, 11, 2, 9, 30), "2026-11-02T09:30:00"),
        ("remote", "Yes", True),
        ("remote", 0, False),
        ("remote", np.bool_(True), True),
        ("company", float("nan"), None),
        ("company", "  ", None),
    ],
)
def test_values_of_other_kinds_become_what_the_field_holds(
    field: str, value: object, made: object
) -> None:
    row: dict[str, Any] = {"id": "a", "title": "Cook", field: value}

    assert getattr(FieldMapping().posting(row), field) == made


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"id": "a", "title": {"x": 1}}, "title: is a dict; it must be text or a number"),
        (
            {"id": "a", "title": "x", "remote": "maybe"},
            "remote: must be true or false, not 'maybe'",
        ),
        ({"ID": "a", "title": "x"}, "id: is missing among the columns 'ID', 'title'; the nearest"),
        ({"id": "a", "titel": "x"}, "description: and title are both empty"),
        ({"id": "a", "title": "x", "posted_at": "yesterday"}, "posted_at: must be an ISO 8601"),
        (["a"], "posting: is a list, not a mapping"),
        ({"id": "a", "description": "<p>\ud800"}, "description: holds a lone surrogate"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_with_its_field(row: object, told: str) -> None:
    with pytest.raises(InvalidInput) as fault:
        FieldMapping(html=True).posting(row)

    assert str(fault.value).startswith(told)


def test_names_may_be_given_and_lead_into_nested_rows() -> None:
    mapping = FieldMapping.parse(["title=job_title", "company=employer.name", "id=key"])
    row = {"key": "a", "job_title": "Nurse", "employer": {"name": "Ward"}, "more": 1}

    posting = mapping.posting(row)

    assert (posting.id, posting.title, posting.company) == ("a", "Nurse", "Ward")
    assert mapping.unused(list(row)) == ["more"]


def test_a_row_without_an_id_has_that_of_its_address() -> None:
    short = FieldMapping().posting({"url": "https://example.org/1", "title": "x"})
    long = FieldMapping().posting({"url": "https://example.org/" + "1" * 300, "title": "x"})

    assert short.id == "https://example.org/1"
    assert long.id.startswith("url-")
    assert len(long.id) == 36


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (["title"], "map: is 'title'; it must be FIELD=NAME"),
        (["titel=x"], "map.titel: is not a field of a posting; the nearest is 'title'"),
        (["title=x", "title=y"], "map.title: is given twice"),
    ],
)
def test_a_wrong_mapping_is_named(pairs: list[str], told: str) -> None:
    with pytest.raises(InvalidInput) as fault:
        FieldMapping.parse(pairs)

    assert str(fault.value) == told


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    with pytest.raises(InvalidInput) as fault:
        FieldMapping().check_columns(["id", "job_titles"], "jobs.csv")
    assert str(fault.value) == (
        "jobs.csv: title: is missing among the columns 'id', 'job_titles'; the nearest is "
        "'job_titles'; say which it is, as in title=NAME"
    )

    with pytest.raises(InvalidInput, match=r"jobs\.csv: job_title: is missing .* 'job_titles'"):
        FieldMapping({"title": "job_title"}).check_columns(["id", "job_titles"], "jobs.csv")
