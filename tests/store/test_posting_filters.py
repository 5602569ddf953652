"""Filters over stored postings: the same answer from every database as from plain Python."""

from __future__ import annotations

import operator
import random
import threading
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from store_process import posting
from tests.filter_trees import filters

from jobsentinel import InvalidInput
from jobsentinel.contract.filter_fields import FIELDS, folded
from jobsentinel.contract.filter_tree import (
    AllOf,
    AnyOf,
    Comparison,
    Contains,
    DaysAgo,
    Filter,
    IsKnown,
    Not,
    OneOf,
)
from jobsentinel.contract.filters import parse_filter
from jobsentinel_workers.store import Database, changes, posting_facts, postings
from jobsentinel_workers.store.posting_filters import FilterCache, matching_ids
from jobsentinel_workers.store.schema import change_counter

TODAY = date(2026, 11, 23)
OWN = {"company", "location", "employment_type", "experience_level", "source", "url"}
OWN |= {"remote", "posted_at"}
STATED = {"stated_salary_low", "stated_salary_high"}
SCORES = {"category", "estimated_salary", "scam", "match_quality"}

Row = dict[str, Any]


def keep(database: Database, *rows: Row) -> None:
    """Store postings with their facts as handlers do, from one flat mapping each."""
    with database.begin() as connection:
        own = [{k: v for k, v in row.items() if k in OWN | {"title"}} for row in rows]
        stored = [posting(row["id"]) | mine for row, mine in zip(rows, own, strict=True)]
        postings.upsert(connection, stored)
        stated = [{k: row[k] for k in row.keys() & STATED} for row in rows]
        posting_facts.describe(connection, [a | b for a, b in zip(stored, stated, strict=True)])
        scored = [row for row in rows if row.keys() & SCORES]
        posting_facts.keep_scores(connection, [{"posting_id": r["id"], **r} for r in scored])


def matches(database: Database, where: str, **settings: Any) -> list[str]:
    with database.connect() as connection:
        return sorted(matching_ids(connection, parse_filter(where), today=TODAY, **settings))


BERLIN = {
    "id": "Berlin-1",
    "title": "Senior Koch (m/w/d) 100%",
    "company": "Ernst &amp; Söhne_KG",
    "location": "KÖLN",
    "employment_type": "full_time",
    "source": "LinkedIn",
    "url": "https://example.org/1?a=b",
    "remote": True,
    "posted_at": "2026-11-20T23:30:00-08:00",
    "stated_salary_low": 50_000,
    "stated_salary_high": 80_000,
    "estimated_salary": 60_000,
    "category": "retail_hospitality_food",
    "scam": 0.25,
    "match_quality": 0.5,
}
PLAIN = {"id": "plain", "title": "Cook", "remote": False, "estimated_salary": 40_000, "scam": 0.5}
BARE = {"id": "bare", "title": ""}
OPEN = {"id": "open", "stated_salary_low": 90_000, "posted_at": "2026-02-30"}


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ('location = "köln"', ["Berlin-1"]),
        ('location = "KO\u0308LN"', ["Berlin-1"]),
        ('company = "ERNST & SÖHNE_kg"', ["Berlin-1"]),
        ('company contains "söhne_"', ["Berlin-1"]),
        ('company contains "söhne%"', []),
        ('title contains "100%"', ["Berlin-1"]),
        ('title contains "senior" and title contains "koch"', ["Berlin-1"]),
        ('title in ("cook", "chef")', ["plain"]),
        ('title not in ("cook", "chef")', ["Berlin-1", "open"]),
        ("title is unknown", ["bare"]),
        ('id = "BERLIN-1"', ["Berlin-1"]),
        ('source != "indeed"', ["Berlin-1"]),
        ('category = "Retail, Hospitality & Food"', ["Berlin-1"]),
        ('url contains "EXAMPLE.org/1?a=b"', ["Berlin-1"]),
        ("remote = true", ["Berlin-1"]),
        ("remote != true", ["plain"]),
        ("not remote = true", ["plain"]),
        ("remote = true or remote is unknown", ["Berlin-1", "bare", "open"]),
        ("posted_at = 2026-11-20", ["Berlin-1"]),
        ("posted_at >= 3 days ago", ["Berlin-1"]),
        ("posted_at >= 2 days ago", []),
        ("posted_at is unknown", ["bare", "open", "plain"]),
        ("salary >= 80000", ["Berlin-1", "open"]),
        ("salary < 80000", ["plain"]),
        ("stated_salary is unknown", ["bare", "plain"]),
        ("estimated_salary >= 60k", ["Berlin-1"]),
        ("scam < 0.3", ["Berlin-1"]),
        ("not scam < 0.3", ["plain"]),
        ("match is known and match >= .5", ["Berlin-1"]),
        ("scam < 0.3 or remote = false", ["Berlin-1", "plain"]),
        ('title = "\'; DROP TABLE postings; --"', []),
    ],
)
def test_each_field_answers_as_documented(database: Database, where: str, ids: list[str]) -> None:
    keep(database, BERLIN, PLAIN, BARE, OPEN)

    assert matches(database, where) == ids


TEXTS = (
    *("Köln", "KÖLN", "ko\u0308ln", "STRASSE", "straße", "ß", "İ", "Σας", "🩺"),
    *("%", "_", "\\", "a%b_c/d", "/", "'", '"', "AT&amp;T", "at&t"),
    *("software_it", "Software & IT", "Data & Analytics"),
)
SALARIES = (0.0, 45_000.0, 45_000.5, 80_000.0, 80_100.0)


def random_rows(count: int) -> list[Row]:
    """Postings in which each value is unknown now and then, and else often that of another."""
    chance = random.Random(1)
    values: dict[str, Sequence[Any]] = {
        **dict.fromkeys(OWN, (*TEXTS, " ")),
        "remote": (True, False),
        "posted_at": [f"2026-11-{day}" for day in range(14, 25)],
        "category": ("software_it", "data_analytics"),
        **dict.fromkeys(STATED | {"estimated_salary"}, SALARIES),
        **dict.fromkeys(("scam", "match_quality"), (0.0, 0.25, 0.3, 0.6, 1.0)),
    }
    return [
        {"id": f"Ä-{number}", "title": chance.choice((*TEXTS, ""))}
        | {name: chance.choice((None, *values[name])) for name in sorted(values)}
        for number in range(count)
    ]


def value_of(row: Row, field: str) -> Any:
    """The value that is compared, or None for unknown."""
    high, low = row["stated_salary_high"], row["stated_salary_low"]
    stated = low if high is None else high
    if FIELDS[field] == "text":
        return None if row[field] is None else folded(field, row[field]) or None
    if field == "posted_at":
        return None if row[field] is None else date.fromisoformat(row[field])
    if field == "salary":
        return row["estimated_salary"] if stated is None else stated
    return stated if field == "stated_salary" else row[{"match": "match_quality"}.get(field, field)]


SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compared(row: Row, where: Comparison) -> bool | None:
    mine, other = value_of(row, where.field), where.value
    if isinstance(other, DaysAgo):
        other = date.fromordinal(TODAY.toordinal() - other.days)
    if isinstance(other, str):
        other = folded(where.field, other)
    return None if mine is None else SIGNS[where.operator](mine, other)


def truth(row: Row, where: Filter) -> bool | None:
    """Three-valued logic in plain Python: None is unknown."""
    match where:
        case Not(part):
            inner = truth(row, part)
            return None if inner is None else not inner
        case AllOf(parts):
            found = [truth(row, part) for part in parts]
            return False if False in found else None if None in found else True
        case AnyOf(parts):
            found = [truth(row, part) for part in parts]
            return True if True in found else None if None in found else False
        case Comparison():
            return compared(row, where)
    return looked_at(value_of(row, where.field), where)


def looked_at(mine: Any, where: OneOf | Contains | IsKnown) -> bool | None:
    if isinstance(where, IsKnown):
        return (mine is not None) is where.known
    if mine is None:
        return None
    if isinstance(where, OneOf):
        return mine in [folded(where.field, text) for text in where.values]
    return folded(where.field, where.text) in mine


def test_sql_answers_any_filter_as_plain_python_does(database: Database) -> None:
    rows = random_rows(60)
    keep(database, *rows)

    with database.connect() as connection:

        @settings(max_examples=120, deadline=None)
        @given(where=filters(st.sampled_from(TEXTS), st.sampled_from(SALARIES)))
        def check(where: Filter) -> None:
            expected = {row["id"] for row in rows if truth(row, where)}
            assert matching_ids(connection, where, today=TODAY) == expected

        check()


def test_a_new_score_replaces_the_one_before_whole(database: Database) -> None:
    keep(database, BERLIN)

    with database.begin() as connection:
        scored = {"posting_id": "Berlin-1", "category": "legal", "scam": 0.75}
        assert posting_facts.keep_scores(connection, [scored]) == 1
        assert posting_facts.keep_scores(connection, [scored]) == 0

    assert matches(database, 'category = "Legal" and scam = 0.75') == ["Berlin-1"]
    assert matches(database, "match is known or estimated_salary is known") == []
    assert matches(database, 'stated_salary = 80k and location = "Köln"') == ["Berlin-1"]


def test_a_changed_posting_keeps_its_score(database: Database) -> None:
    keep(database, BERLIN)
    keep(database, {"id": "Berlin-1", "title": "Cook", "stated_salary_high": 70_000})

    assert matches(database, 'title = "cook" and salary = 70k and scam = 0.25') == ["Berlin-1"]
    assert matches(database, "location is known or remote is known") == []


def test_a_deleted_posting_matches_nothing_and_comes_back_without_its_old_score(
    database: Database,
) -> None:
    keep(database, BERLIN, PLAIN)

    with database.begin() as connection:
        postings.delete(connection, ["Berlin-1"])
    assert matches(database, "title is known") == ["plain"]

    keep(database, {"id": "Berlin-1", "title": "Cook"})
    assert matches(database, "scam is unknown") == ["Berlin-1"]


def test_facts_that_change_take_a_higher_number(database: Database) -> None:
    keep(database, BERLIN)
    with database.connect() as connection:
        before = changes.current(connection)

    keep(database, {**BERLIN, "scam": 0.1})

    with database.connect() as connection:
        assert changes.current(connection) > before


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(database: Database, value: float) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting("p")])
        with pytest.raises(InvalidInput, match=r"posting_facts\.scam"):
            posting_facts.keep_scores(connection, [{"posting_id": "p", "scam": value}])


def test_a_field_that_does_not_exist_is_refused_in_a_tree_made_by_hand(
    database: Database,
) -> None:
    with database.connect() as connection, pytest.raises(InvalidInput, match="change_seq"):
        matching_ids(connection, IsKnown("change_seq"))


def test_a_cache_answers_as_the_store_does_after_every_change(database: Database) -> None:
    cache, where = FilterCache(), parse_filter("scam < 0.3")

    def cached(day: date = TODAY) -> set[str]:
        with database.connect() as connection:
            return set(cache.matching_ids(connection, where, today=day))

    assert cached() == set()
    keep(database, BERLIN, PLAIN)
    assert cached() == cached() == {"Berlin-1"}
    keep(database, {**PLAIN, "scam": 0.1})
    assert cached() == {"Berlin-1", "plain"}
    with database.begin() as connection:
        postings.delete(connection, ["plain"])
    assert cached() == {"Berlin-1"}

    # And after the store was set back to an earlier state
    with database.begin() as connection:
        posting_facts.keep_scores(connection, [{"posting_id": "Berlin-1", "scam": 0.9}])
        connection.execute(update(change_counter).values(value=1))
    assert cached() == set()


def test_a_cache_tells_days_apart_and_is_answered_from_memory_else(database: Database) -> None:
    keep(database, BERLIN)
    cache, where = FilterCache(), parse_filter("posted_at >= 3 days ago")

    with database.connect() as connection:
        first = cache.matching_ids(connection, where, today=TODAY)
        assert first == {"Berlin-1"}
        assert cache.matching_ids(connection, where, today=TODAY) is first
        assert cache.matching_ids(connection, where, today=date(2026, 11, 24)) == set()


def test_a_cache_forgets_what_was_used_longest_ago(database: Database) -> None:
    keep(database, *({"id": f"p-{number}", "scam": number / 10} for number in range(10)))
    cache = FilterCache(max_ids=12)

    with database.connect() as connection:
        found = {
            limit: cache.matching_ids(connection, parse_filter(f"scam < 0.{limit}"), today=TODAY)
            for limit in (5, 6, 9)
        }
        again = cache.matching_ids(connection, parse_filter("scam < 0.9"), today=TODAY)
        older = cache.matching_ids(connection, parse_filter("scam < 0.5"), today=TODAY)

    assert again is found[9]
    assert older == found[5]
    assert older is not found[5]


def test_threads_share_a_cache_while_the_store_changes(database: Database) -> None:
    cache, where, wrong = FilterCache(), parse_filter("scam is known"), []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            with database.connect() as connection:
                if cache.matching_ids(connection, where) != matching_ids(connection, where):
                    wrong.append(changes.current(connection))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        keep(database, {"id": f"p-{number}", "scam": 0.5})
    stop.set()
    for thread in threads:
        thread.join()

    assert wrong == []
