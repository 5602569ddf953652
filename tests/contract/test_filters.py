"""Filters as text: what is understood, what is refused, and how the refusal reads."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.filter_trees import ANY_TEXT, filters

from jobsentinel import InvalidInput
from jobsentinel.contract.base import Message
from jobsentinel.contract.filter_fields import FIELDS, day_number, folded
from jobsentinel.contract.filters import (
    AllOf,
    AnyOf,
    Comparison,
    Contains,
    DaysAgo,
    Filter,
    FilterText,
    IsKnown,
    Not,
    OneOf,
    parse_filter,
)

REMOTE = Comparison("remote", "=", True)
CHEAP = Comparison("salary", "<", 50_000.0)
SCAM = Comparison("scam", ">=", 0.5)


class Query(Message):
    """A message with a filter in it."""

    where: FilterText | None = None


def problem_of(text: Any) -> str:
    with pytest.raises(InvalidInput) as refused:
        parse_filter(text)
    assert refused.value.field == "where"
    return refused.value.problem


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("remote = true", REMOTE),
        ("  REMOTE\n==\tTRUE ", REMOTE),
        ("salary < 50k", CHEAP),
        ("salary<50_000", CHEAP),
        ("salary < 50,000", CHEAP),
        ("salary < 50000.00", CHEAP),
        ("estimated_salary <> 80.1k", Comparison("estimated_salary", "!=", 80_100.0)),
        ("scam >= .5", SCAM),
        ('title = "Koch (m/w/d)"', Comparison("title", "=", "Koch (m/w/d)")),
        (r"title = 'a \'b\' \"c\" \\'", Comparison("title", "=", "a 'b' \"c\" \\")),
        ("source in (\"a\", 'b')", OneOf("source", ("a", "b"))),
        ('source not in ("a")', Not(OneOf("source", ("a",)))),
        ('url contains "/jobs/"', Contains("url", "/jobs/")),
        ('title not contains "senior"', Not(Contains("title", "senior"))),
        ("match is known", IsKnown("match")),
        ("match IS NOT known", IsKnown("match", known=False)),
        ("company is unknown", IsKnown("company", known=False)),
        ("posted_at = 2026-11-23", Comparison("posted_at", "=", date(2026, 11, 23))),
        ("posted_at > '2026-11-23'", Comparison("posted_at", ">", date(2026, 11, 23))),
        ("posted_at >= today", Comparison("posted_at", ">=", DaysAgo(0))),
        ("posted_at >= 1 day ago", Comparison("posted_at", ">=", DaysAgo(1))),
        ("posted_at >= 2 weeks ago", Comparison("posted_at", ">=", DaysAgo(14))),
    ],
)
def test_conditions_are_read_as_people_write_them(text: str, tree: Filter) -> None:
    assert parse_filter(text) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("{r} and {c} or {s}", AnyOf((AllOf((REMOTE, CHEAP)), SCAM))),
        ("{r} or {c} and {s}", AnyOf((REMOTE, AllOf((CHEAP, SCAM))))),
        ("({r} or {c}) and {s}", AllOf((AnyOf((REMOTE, CHEAP)), SCAM))),
        ("not {r} and {c}", AllOf((Not(REMOTE), CHEAP))),
        ("not ({r} and {c})", Not(AllOf((REMOTE, CHEAP)))),
        ("not not {r}", Not(Not(REMOTE))),
        ("({r} and {c}) and {s}", AllOf((AllOf((REMOTE, CHEAP)), SCAM))),
        ("{r} and {c} and {s}", AllOf((REMOTE, CHEAP, SCAM))),
        ("(({r}))", REMOTE),
    ],
)
def test_not_binds_before_and_and_that_before_or(text: str, tree: Filter) -> None:
    parts = {"r": "remote = true", "c": "salary < 50k", "s": "scam >= 0.5"}

    assert parse_filter(text.format(**parts)) == tree


SALARIES = st.one_of(st.integers(0, 10**12).map(float), st.floats(0, 1e12))


@settings(max_examples=60, deadline=None)
@given(tree=filters(ANY_TEXT, SALARIES))
def test_a_printed_filter_parses_to_the_same_tree(tree: Filter) -> None:
    text = str(tree)
    if len(text) <= 2_000:
        assert parse_filter(text) == tree


PIECES = (
    *FIELDS,
    *"()=<>,\"'\\!",
    *("and", "or", "not", "in", "is", "known", "contains", "ago", "days", "true", " "),
    *("7", "0.5", "80.000", "2026-11-23", '"x"', "\ud800"),
)


def outcome(text: str) -> Filter | InvalidInput:
    try:
        return parse_filter(text)
    except InvalidInput as refused:
        return refused


@settings(deadline=None)
@given(text=st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_any_text_is_a_filter_or_a_fault_that_names_the_place(text: str) -> None:
    found = outcome(text)

    if isinstance(found, InvalidInput):
        assert found.field == "where"
        assert found.problem.startswith(("at character ", "is empty"))
    else:
        assert parse_filter(str(found)) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("salray > 3", "at character 1: salray is no field; did you mean salary? (the fields are"),
        ("remote = true and where = 1", "at character 19: where is no field (the fields are id, "),
        ("remote", "at character 7: expected an operator after remote, found the end"),
        ("salary between 1 and 2", "at character 8: expected an operator after salary, found betw"),
        ('title < "a"', "at character 7: < does not suit title, which is text; title takes =, !="),
        ("remote > true", "at character 8: > does not suit remote"),
        ("salary in (1, 2)", "at character 8: in does not suit salary, which is a number"),
        ('posted_at contains "2026"', "at character 11: contains does not suit posted_at"),
        ("title = cook", 'is compared with a text in quotes, found cook; write "cook"'),
        ('salary > "80000"', "at character 10: salary is compared with a number such as 80000"),
        ("remote = yes", "at character 10: remote is compared with true or false, found yes"),
        ("remote = 1", "remote is compared with true or false, found 1"),
        ("title is null", 'expected "known" or "unknown" after "title is", found null'),
        ('title not = "a"', 'at character 11: expected "in" or "contains", found ='),
        ('title = " \u200b"', "the text is blank; write title is unknown"),
        ("salary >= 80.000", "at character 11: 80.000 could be read in two ways; write 80000"),
        ("salary >= 80,00", "80,00 is no number; write 80000, 80_000, 80,000 or 80k"),
        ("salary >= 80000k000", "80000k000 is no number"),
        ("salary >= $80000", "'$' means nothing here; salaries are plain numbers"),
        ("salary >= -1", "there are no negative numbers"),
        ("salary >= 9999999999k", "is more than 1,000,000,000,000"),
        ("scam < 30", "30 is more than 1; write it from 0 to 1"),
        ("scam < 30%", "30% is no number; write a number from 0 to 1"),
        ("posted_at > 2026-02-30", "2026-02-30 is a day that does not exist"),
        ("posted_at > 23.11.2026", "'23.11.2026' is no date; write 2026-11-23"),
        ("posted_at > 2026-11-23T10:00:00Z", "is no date"),
        ("posted_at > 3 months ago", "'3' is no date; write 2026-11-23, today, 14 days ago"),
        ("posted_at > 3 days", 'expected "ago" after a number of days or weeks, found the end'),
        ("posted_at > 1.5 days ago", "1.5 is no whole number of days"),
        ("posted_at > 99999 days ago", "99,999 days are more than 36,500"),
        ("(remote = true", 'expected ")" that closes the one at character 1, found the end'),
        ("remote = true)", 'at character 14: expected "and", "or" or the end, found )'),
        ("remote = true scam < 1", 'expected "and", "or" or the end, found scam'),
        ("remote = true and", "at character 18: expected a field, found the end"),
        ("and remote = true", "at character 1: expected a field, found and"),
        ('source in "a"', 'expected "(" after "in", found "a"'),
        ("source in ()", "source is compared with a text in quotes, found )"),
        ('source in ("a" "b")', 'expected ")" or "," after a text of the list, found "b"'),
        ('title = "a', "at character 9: '\"' opens a text that no second \" closes"),
        ("title = “a”", "at character 9: '“' is a typographic quote; texts stand in plain ones"),
        ('title = "a\\d"', "at character 11: a backslash stands before a quote"),
        ("remote = true && scam < 1", "'&' means nothing here; write \"and\""),
        ("title = '\ud800'", "at character 10: a lone surrogate is no character"),
        ("(" * 33 + "scam < 1" + ")" * 33, "at character 33: more than 32 levels of nesting"),
        ("not " * 33 + "scam < 1", "more than 32 levels of nesting"),
        ("scam < 1 or " * 200, "must have at most 2,000 characters, has 2,400"),
        (" \n", "is empty; leave it out to look at all postings"),
        (None, "must be text, not NoneType"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place_and_a_way_out(
    text: Any, says: str
) -> None:
    assert says in problem_of(text)


def test_a_filter_at_both_limits_is_read() -> None:
    deep = "(" * 32 + "scam < 1" + ")" * 32
    long = "scam < 1 or " * 160

    assert parse_filter(deep) == Comparison("scam", "<", 1.0)
    assert len(parse_filter(long + deep).parts) == 161  # type: ignore[union-attr]


def test_a_message_takes_a_filter_as_text_and_names_its_faults() -> None:
    assert Query.parse({"where": "scam < 0.3"}).where == "scam < 0.3"
    assert Query.parse({}).where is None
    for where, says in (("scam << 3", "at character 7: scam is compared"), (3, "(found int 3)")):
        with pytest.raises(InvalidInput) as refused:
            Query.parse({"where": where})
        assert refused.value.field == "where"
        assert says in refused.value.problem


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("location", "Köln", "KO\u0308LN"),
        ("location", "Straße 1", "STRASSE\u00a0 1"),
        ("company", "Ernst &amp; Young", "ernst & young"),
        ("title", "ﬁnance", "Finance"),
        ("title", " Night\nnurse\u200b", "night nurse"),
        ("title", "ΜΆΓΕΙΡΟΣ", "μάγειρος"),
        ("category", "Software & IT", "software_it"),
        ("url", "HTTPS://example.org", "https://EXAMPLE.org"),
    ],
)
def test_texts_compare_without_regard_to_case_and_form(field: str, one: str, other: str) -> None:
    assert folded(field, one) == folded(field, other)


def test_what_differs_in_more_than_form_stays_different() -> None:
    assert folded("location", "Köln") != folded("location", "Koln")
    assert folded("url", "?a=1&copy=2") != folded("url", "?a=1©=2")
    assert folded("title", "Software & IT") == "software & it"


def test_a_day_is_taken_as_it_is_stated() -> None:
    assert day_number("2026-11-23") == day_number("2026-11-23T23:59:59-08:00")
    assert day_number("2026-02-30") is None
    assert day_number(None) is None


def test_the_page_has_every_field_and_filters_that_are_understood() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "ranking.md").read_text("utf-8")
    section = page[page.index("## Filters") : page.index("\n## Stages")]
    (block,) = re.findall(r"^```text\n(.*?)^```$", section, re.M | re.S)

    assert all(f"`{field}`" in section for field in FIELDS)
    for line in block.splitlines():
        assert parse_filter(line)
