"""Postings in the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from store_process import posting

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import (
    Database,
    VectorIndex,
    changes,
    embeddings,
    posting_facts,
    postings,
    results,
)
from jobsentinel_workers.store.schema import posting_facts as facts_table
from jobsentinel_workers.store.schema import results as results_table

FULL: dict[str, Any] = {
    "id": "p-1",
    "title": "Krankenpfleger:in 🩺",
    "description": "Wir suchen …\nTwo lines.",
    "company": "Klinik",
    "location": "Köln",
    "experience_level": "senior",
    "employment_type": "full_time",
    "remote": False,
    "salary": "€ 52.000",
    "url": "https://example.org/1",
    "source": "example",
    "posted_at": "2026-11-20",
    "content_hash": "abc",
    "text": "Krankenpfleger:in\nWir suchen",
    "updated_at": "2026-11-22T15:00:00.000000Z",
}


def stored(database: Database, *ids: str) -> dict[str, postings.StoredPosting]:
    with database.connect() as connection:
        return postings.get(connection, ids)


def test_a_posting_comes_back_as_it_was(database: Database) -> None:
    with database.begin() as connection:
        assert postings.upsert(connection, [FULL]) == 1

    found = stored(database, "p-1", "unknown")

    assert list(found) == ["p-1"]
    assert {name: getattr(found["p-1"], name) for name in FULL} == FULL


def test_what_is_not_known_is_none(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting("p")])

    assert stored(database, "p")["p"].remote is None
    assert stored(database, "p")["p"].salary is None


def test_an_equal_posting_sent_again_soon_leaves_time_and_number_alone(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [FULL])
    before = stored(database, "p-1")

    with database.begin() as connection:
        again = {**FULL, "updated_at": "2026-11-22T20:59:00Z"}
        assert postings.upsert(connection, [again]) == 0

    assert stored(database, "p-1") == before


def test_an_equal_posting_sent_again_later_is_known_to_have_been_seen(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [FULL])
    before = stored(database, "p-1")["p-1"]

    with database.begin() as connection:
        again = {**FULL, "updated_at": "2026-12-24T00:00:00Z"}
        assert postings.upsert(connection, [again]) == 0

    after = stored(database, "p-1")["p-1"]
    assert after.updated_at == "2026-12-24T00:00:00.000000Z"
    assert after.change_seq == before.change_seq


def test_a_posting_that_comes_late_does_not_turn_its_time_back(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [FULL])
        postings.upsert(connection, [{**FULL, "updated_at": "2026-01-01T00:00:00Z"}])

    assert stored(database, "p-1")["p-1"].updated_at == FULL["updated_at"]


def test_a_changed_posting_gets_a_higher_number(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [FULL, posting("p-2")])
    before = stored(database, "p-1", "p-2")

    with database.begin() as connection:
        changed = [{**FULL, "remote": None}, posting("p-2"), posting("p-3")]
        assert postings.upsert(connection, changed) == 2

    after = stored(database, "p-1", "p-2", "p-3")
    newest = max(each.change_seq for each in before.values())
    assert after["p-1"].remote is None
    assert after["p-1"].change_seq > newest
    assert after["p-2"] == before["p-2"]
    assert after["p-3"].change_seq > newest


def test_of_two_rows_with_one_id_the_later_counts(database: Database) -> None:
    with database.begin() as connection:
        rows = [posting("p"), {**posting("p"), "title": "Later"}]
        assert postings.upsert(connection, rows) == 1

    assert stored(database, "p")["p"].title == "Later"


def test_more_ids_than_a_statement_can_name_are_found_and_deleted(database: Database) -> None:
    ids = [f"p-{number}" for number in range(1_234)]
    with database.begin() as connection:
        assert postings.upsert(connection, list(map(posting, ids))) == len(ids)

    with database.begin() as connection:
        assert postings.exists(connection, [*ids, "unknown"]) == set(ids)
        assert len(postings.get(connection, ids)) == postings.count(connection) == len(ids)
        assert postings.delete(connection, [*ids[:1_000], "unknown"]) == 1_000
        assert postings.count(connection) == 234


def test_no_rows_change_nothing(database: Database) -> None:
    with database.begin() as connection:
        assert postings.upsert(connection, []) == 0
        assert postings.delete(connection, []) == 0
        assert postings.get(connection, []) == {}
        assert changes.current(connection) == 0


def test_numbers_of_a_rolled_back_transaction_are_taken_again(database: Database) -> None:
    with database.connect() as connection:
        before = changes.current(connection)
    with database.begin() as connection:
        postings.upsert(connection, [posting("p")])
        connection.rollback()
    with database.connect() as connection:
        assert changes.current(connection) == before


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"id": None}, "postings.1.id"),
        ({"id": ""}, "postings.1.id"),
        ({"id": "x" * 201}, "postings.1.id"),
        ({"text": None}, "postings.1.text"),
        ({"title": "a\x00b"}, "postings.1.title"),
        ({"company": "\udc80"}, "postings.1.company"),
        ({"salary": 52_000}, "postings.1.salary"),
        ({"remote": "yes"}, "postings.1.remote"),
        ({"updated_at": "2026-11-22T15:00:00"}, "postings.1.updated_at"),
        ({"colour": "green"}, "postings.1.colour"),
    ],
)
def test_a_row_that_cannot_be_stored_is_refused_whole(
    database: Database, row: dict[str, Any], field: str
) -> None:
    with database.begin() as connection:
        with pytest.raises(InvalidInput) as refused:
            postings.upsert(connection, [FULL, {**posting("p"), **row}])
        assert refused.value.field == field
        assert postings.count(connection) == 0


def test_postings_of_before_a_day_go_and_those_without_a_day_stay(database: Database) -> None:
    days = ["2026-10-31", "2026-10-31T23:59:00+05:00", "2026-11-01", "2026-11-01T00:00Z", None]
    rows = [{**posting(f"p-{n}"), "posted_at": day} for n, day in enumerate(days)]
    with database.begin() as connection:
        postings.upsert(connection, rows)

    with database.begin() as connection:
        removed = postings.delete_posted_before(connection, date(2026, 11, 1))

    assert removed == 2
    assert set(stored(database, *(f"p-{n}" for n in range(5)))) == {"p-2", "p-3", "p-4"}


def test_postings_not_seen_for_some_days_go(database: Database) -> None:
    now = datetime.now(UTC)
    ages = {"old": 31, "seen again": 31, "young": 29}
    with database.begin() as connection:
        for name, days in ages.items():
            row = {**posting(name), "updated_at": now - timedelta(days=days)}
            postings.upsert(connection, [row])
        postings.upsert(connection, [posting("seen again")])

    with database.begin() as connection:
        removed = postings.delete_not_seen_for(connection, 30)

    assert removed == 1
    assert set(stored(database, *ages)) == {"seen again", "young"}


def test_an_index_follows_what_was_removed_by_its_age(database: Database) -> None:
    with database.begin() as connection:
        rows = [{**posting(f"p-{n}"), "posted_at": "2026-10-01"} for n in range(3)]
        postings.upsert(connection, [*rows, posting("stays")])
        embeddings.put_many(connection, "e", {posting("stays")["content_hash"]: [1.0, 0.0]})
        for n in range(3):
            key = posting(f"p-{n}")["content_hash"]
            embeddings.put_many(connection, "e", {key: [0.0, 1.0]})
    index = VectorIndex(database, "e")
    index.refresh()

    with database.begin() as connection:
        postings.delete_posted_before(connection, date(2026, 11, 1))

    assert index.refresh() == 3
    assert index.search([1.0, 1.0], 10)[0] == ["stays"]


def test_what_filters_compare_goes_with_the_posting_and_its_results_stay(
    database: Database,
) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting("p"), posting("q")])
        posting_facts.describe(connection, [posting("p"), posting("q")])
        results.save(connection, "job", "score", [("p", {"scam": 1})], fencing_token=1)

    with database.begin() as connection:
        postings.delete(connection, ["p"])

    with database.connect() as connection:
        assert list(connection.scalars(select(facts_table.c.posting_id))) == ["q"]
        assert connection.scalar(select(func.count()).select_from(results_table)) == 1
