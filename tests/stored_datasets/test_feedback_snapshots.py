"""Snapshots of feedback on searches: rows that a reranker learns from."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.datasets import StoredDataset, load, snapshot_labels
from jobsentinel_workers.fine_tuning import JobMatchingDataset
from jobsentinel_workers.store import Database, labels, postings


def add_postings(database: Database, *ids: str) -> None:
    rows = [
        {"id": id_, "title": id_, "description": "", "text": f"Text {id_}", "content_hash": id_}
        for id_ in ids
    ]
    with database.begin() as connection:
        postings.upsert(connection, rows)


def add(database: Database, *rows: dict[str, Any]) -> None:
    with database.begin() as connection:
        labels.add(connection, [{"kind": "relevance"} | row for row in rows])


def said(number: int, query: str = "nurse", **said: Any) -> dict[str, Any]:
    return {"posting_id": f"p{number}", "query": query, **said}


def taken(database: Database, **options: Any) -> StoredDataset:
    with database.begin() as connection:
        return snapshot_labels(connection, "relevance", **options)


def by_pair(snapshot: StoredDataset) -> dict[tuple[str, str], tuple[float, float | None]]:
    rows = snapshot.rows
    return {(row["query"], row["text"]): (row["score"], row.get("weight")) for row in rows}


@pytest.fixture
def judged(database: Database) -> Database:
    """A store with ten postings, each judged for two queries, half of them relevant."""
    add_postings(database, *(f"p{number}" for number in range(10)))
    add(
        database,
        *(
            said(number, query, value=float((number + at) % 2))
            for at, query in enumerate(("nurse", "cook"))
            for number in range(10)
        ),
    )
    return database


def test_judgements_are_rows_of_query_text_and_score(judged: Database) -> None:
    snapshot = taken(judged)

    assert snapshot.task == "reranker"
    assert len(snapshot.rows) == 20
    assert by_pair(snapshot)["cook", "Text p0"] == (1.0, None)
    assert by_pair(snapshot)["nurse", "Text p0"] == (0.0, None)
    with judged.connect() as connection:
        assert load(connection, snapshot.sha256) == snapshot


@pytest.mark.parametrize(
    ("feedback", "score", "weight"),
    [
        ({"event": "rated", "value": 0.25, "shown_rank": 9}, 0.25, None),
        ({"event": "dismissed", "shown_rank": 9}, 0.0, None),
        ({"event": "applied"}, 1.0, None),
        ({"event": "applied", "shown_rank": 1}, 1.0, None),
        ({"event": "saved", "shown_rank": 4}, 1.0, 4.0),
        ({"event": "applied", "shown_rank": 600}, 1.0, 10.0),
    ],
)
def test_implicit_feedback_counts_more_the_less_likely_it_was_seen(
    judged: Database, feedback: dict[str, Any], score: float, weight: float | None
) -> None:
    add(judged, said(0, "driver", **feedback))

    snapshot = taken(judged)

    assert by_pair(snapshot)["driver", "Text p0"] == (score, weight)
    # And the dataset's id is the hash of what is learnt, weights and all
    assert JobMatchingDataset.from_rows(snapshot.rows).sha256 == snapshot.sha256


def test_weights_make_another_dataset(judged: Database) -> None:
    add(judged, said(0, "driver", event="applied", shown_rank=2))
    first = taken(judged)
    add(judged, said(0, "driver", event="saved", shown_rank=3))

    assert taken(judged).sha256 != first.sha256


def test_the_newest_of_several_people_counts_for_a_query_and_a_text(judged: Database) -> None:
    # Given a posting that one person judged irrelevant, and a copy of it under another id
    add_postings(judged, "copy")
    with judged.begin() as connection:
        rows = {"id": "copy", "title": "c", "description": "", "content_hash": "c"}
        postings.upsert(connection, [rows | {"text": "TEXT  p0"}])

    # When another person applies to the copy
    add(judged, {"posting_id": "copy", "query": "Nurse ", "event": "applied", "annotator": "bob"})

    # Then that is what is learnt of both
    rows_of_it = [row for row in taken(judged).rows if row["text"].casefold() == "text  p0"]
    assert [(row["query"], row["score"]) for row in rows_of_it] == [("Nurse ", 1.0)]
    assert ("nurse", "Text p0") not in by_pair(taken(judged))


def test_feedback_on_a_posting_that_is_not_stored_waits_for_it(judged: Database) -> None:
    add(judged, *(said(number, value=1.0) for number in range(20, 28)))
    first = taken(judged)
    assert len(first.rows) == 20

    add_postings(judged, *(f"p{number}" for number in range(20, 28)))

    assert len(taken(judged, since=first.last_label_seq).rows) == 8


def test_feedback_of_one_query_cannot_show_what_it_does_for_others(database: Database) -> None:
    add_postings(database, *(f"p{number}" for number in range(10)))
    add(database, *(said(n, (" NURSE", "nurse")[n % 2], value=float(n > 5)) for n in range(10)))

    with pytest.raises(InvalidInput, match="belongs to 1 query; a reranker needs 2 or more"):
        taken(database)


def test_feedback_that_is_all_alike_cannot_be_learnt(database: Database) -> None:
    add_postings(database, *(f"p{number}" for number in range(10)))
    add(database, *(said(n, f"query {n % 3}", event="applied", shown_rank=n + 1) for n in range(9)))

    with pytest.raises(InvalidInput, match="all stored feedback says 1; a reranker needs"):
        taken(database)

    # But as what is new beside older feedback it may be
    assert len(taken(database, since=0).rows) == 9


def test_too_little_feedback_says_how_much_there_is(judged: Database) -> None:
    with judged.begin() as connection:
        postings.delete(connection, {f"p{number}" for number in range(8)})

    with pytest.raises(InvalidInput, match="has 4 labelled postings for relevance; it must be 8"):
        taken(judged)


def test_feedback_makes_rows_for_no_other_task(judged: Database) -> None:
    with pytest.raises(InvalidInput, match="0 labelled postings for relevance"):
        taken(judged, task="regression")


def test_relevance_labels_from_before_there_were_queries_are_left_alone(judged: Database) -> None:
    add(judged, {"posting_id": "p1", "value": 0.5})

    assert len(taken(judged).rows) == 20
