"""Feedback on searches in the store: kept as it came, for each query by itself."""

from __future__ import annotations

from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from store_process import posting

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, labels, postings
from jobsentinel_workers.store.addresses import parse_address
from jobsentinel_workers.store.migrations.upgrade import configuration
from jobsentinel_workers.store.schema import REVISION


def feedback(query: str = "nurse", day: int = 1, **said: Any) -> dict[str, Any]:
    made = {"posting_id": "p", "kind": "relevance", "annotator": "ann", "query": query}
    return made | {"created_at": f"2026-11-{day:02}T00:00:00Z"} | said


def add(database: Database, *rows: dict[str, Any]) -> int:
    with database.begin() as connection:
        return labels.add(connection, rows, job_id="job")


def in_force(database: Database) -> set[tuple[Any, ...]]:
    with database.connect() as connection:
        found = labels.find(connection, kind="relevance")
    return {(each.query, each.annotator, each.event, each.value) for each in found}


def history(database: Database) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        found = labels.history(connection, "p", "relevance")
    return [(each.event, each.value, each.shown_rank) for each in found]


def test_events_and_ratings_come_back_as_they_came(database: Database) -> None:
    given = [
        feedback(event="applied", shown_rank=7),
        feedback("cook", event="rated", value=0.25),
        feedback("driver", value=1.0),
    ]

    assert add(database, *given) == 3

    with database.connect() as connection:
        found = labels.find(connection)
    said = [(each.query, each.event, each.value, each.shown_rank) for each in found]
    assert said == [
        ("nurse", "applied", None, 7),
        ("cook", "rated", 0.25, None),
        ("driver", None, 1.0, None),
    ]


def test_the_newest_of_an_annotator_counts_for_each_query_by_itself(database: Database) -> None:
    # Given a posting that somebody saved for two queries, and another person rated
    add(
        database,
        feedback(event="saved", shown_rank=4),
        feedback("cook", event="saved"),
        feedback(event="rated", value=0.5, annotator="bob"),
    )

    # When the first one dismisses it for one query, in other capitals
    assert add(database, feedback("  NURSE", day=2, event="dismissed")) == 1

    # Then only that answer is another, and what it was is in the history
    assert in_force(database) == {
        ("  NURSE", "ann", "dismissed", None),
        ("cook", "ann", "saved", None),
        ("nurse", "bob", "rated", 0.5),
    }
    assert history(database) == [("saved", None, 4)]


def test_feedback_delivered_late_or_twice_changes_nothing(database: Database) -> None:
    add(database, feedback(day=2, event="applied"))

    assert add(database, feedback(day=1, event="dismissed")) == 0
    assert add(database, feedback(day=1, event="dismissed")) == 0
    assert add(database, feedback(day=2, event="applied")) == 0

    assert in_force(database) == {("nurse", "ann", "applied", None)}
    assert history(database) == [("dismissed", None, None)]


def test_one_event_after_another_is_a_change_though_neither_has_a_value(
    database: Database,
) -> None:
    add(database, feedback(day=1, event="saved"))

    assert add(database, feedback(day=2, event="applied")) == 1

    assert in_force(database) == {("nurse", "ann", "applied", None)}


def test_feedback_says_nothing_of_a_posting_alone(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting("p")])
    add(database, feedback(event="applied"))

    with database.connect() as connection:
        assert list(labels.training_texts(connection, "relevance")) == []


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"event": ""}, "labels.0.event"),
        ({"event": "saved", "query": "a\x00"}, "labels.0.query"),
        ({"event": "saved", "shown_rank": 0}, "labels.0.shown_rank"),
        ({"event": "saved", "shown_rank": "1"}, "labels.0.shown_rank"),
        ({}, "labels.0.value"),
    ],
)
def test_feedback_that_cannot_be_stored_is_refused(
    database: Database, said: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(database, feedback() | said)

    assert refused.value.field == field


def test_an_older_store_keeps_its_labels_and_their_keys(empty_address: str) -> None:
    # Given a store of the revision before, with a label in force and one that was replaced
    older = Database(parse_address(empty_address))
    known = labels.Label("p", "scam", "ann", True, None, None, "2026-11-02T00:00:00.000000Z")
    common = "label_key, posting_id, kind, annotator, value, created_at"
    same = f"'{known.key}', 'p', 'scam', 'ann'"
    with older.begin() as connection:
        command.upgrade(configuration(connection), "0006")
        connection.execute(
            text(f"INSERT INTO labels ({common}, change_seq) VALUES ({same}, 'true', :at, 1)"),
            {"at": known.created_at},
        )
        connection.execute(
            text(
                f"INSERT INTO label_history ({common}, value_hash) "
                f"VALUES ({same}, 'false', '2026-11-01T00:00:00.000000Z', 'h')"
            )
        )
    older.close()

    # When this version opens it
    database = Database.open(empty_address)

    # Then both are there, a repeat changes nothing, and feedback goes beside them
    assert database.revision() == REVISION
    again = {"posting_id": "p", "kind": "scam", "annotator": "ann", "value": True}
    assert add(database, again | {"created_at": known.created_at}) == 0
    assert add(database, feedback(event="saved")) == 1
    with database.connect() as connection:
        found = labels.find(connection)
        (before,) = labels.history(connection, "p", "scam")
    assert [(each.value, each.query) for each in found] == [(True, None), (None, "nurse")]
    assert (before.value, before.event) == (False, None)
    database.close()
