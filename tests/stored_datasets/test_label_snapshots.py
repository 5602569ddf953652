"""Snapshots of stored labels: what they hold, what comes next, and that they stay."""

from __future__ import annotations

from typing import Any

import pytest
from dataset_stores import Sender, emptied
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.datasets import (
    StoredDataset,
    list_datasets,
    load,
    read_labels,
    save_snapshot,
    snapshot_labels,
)
from jobsentinel_workers.store import Database, changes, labels, postings

KINDS = ("category", "salary", "scam", "match", "seniority")


def posting(number: int, text: str | None = None) -> dict[str, str]:
    """A posting as the store takes it."""
    text = f"Text {number}" if text is None else text
    about = {"title": f"Title {number}", "description": "", "content_hash": f"hash of {text}"}
    return {"id": f"p{number}", "text": text, **about}


def add_postings(database: Database, *numbers: int) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting(number) for number in numbers])


def label(database: Database, number: int, kind: str, value: Any, annotator: str = "ann") -> None:
    row = {"posting_id": f"p{number}", "kind": kind, "value": value, "annotator": annotator}
    with database.begin() as connection:
        labels.add(connection, [row])


def taken(database: Database, kinds: Any = KINDS, **options: Any) -> StoredDataset:
    with database.begin() as connection:
        return snapshot_labels(connection, kinds, **options)


def by_text(snapshot: StoredDataset) -> dict[str, dict[str, Any]]:
    return {row["text"]: row for row in snapshot.rows}


@pytest.fixture
def labelled(database: Database) -> Database:
    """A store with ten postings, each labelled as scam or not."""
    add_postings(database, *range(10))
    for number in range(10):
        label(database, number, "scam", number % 2 == 0)
    return database


def test_all_labels_make_one_row_a_text_with_all_that_is_known(labelled: Database) -> None:
    # Given labels of several kinds, one of them the user's own
    label(labelled, 0, "category", "healthcare")
    label(labelled, 0, "salary", 52_000)
    label(labelled, 0, "seniority", "junior")
    label(labelled, 1, "match", 0.5)

    # When a snapshot is taken
    snapshot = taken(labelled)

    # Then it is a stored dataset with these answers
    with labelled.connect() as connection:
        assert load(connection, snapshot.sha256) == snapshot
        (listed,) = list_datasets(connection)
    assert (snapshot.task, len(snapshot.rows)) == ("multi-task", 10)
    assert by_text(snapshot)["Text 0"] == {
        "text": "Text 0",
        "scam": True,
        "category": "healthcare",
        "salary_year_usd": 52_000.0,
        "labels": {"seniority": "junior"},
    }
    assert by_text(snapshot)["Text 1"]["match"] == 0.5
    assert listed.origin == {"labels": list(KINDS), "since": None}
    assert listed.summary["answers"]["scam"] == 10


def test_nothing_new_is_the_same_dataset_and_something_new_is_another(labelled: Database) -> None:
    first = taken(labelled)
    again = taken(labelled)
    label(labelled, 3, "scam", True)
    changed = taken(labelled)

    assert again.sha256 == first.sha256 != changed.sha256
    with labelled.connect() as connection:
        assert len(list_datasets(connection)) == 2
        assert load(connection, first.sha256).rows == first.rows  # the label in force is another


def test_since_the_last_snapshot_only_later_labels_are_taken(labelled: Database) -> None:
    # Given a snapshot, and then eight labels, one of which changes an earlier one
    first = taken(labelled)
    assert first.last_label_seq is not None
    for number in range(7):
        label(labelled, number, "category", "legal")
    label(labelled, 9, "scam", True)

    # When the labels since then are taken
    new = taken(labelled, since=first.last_label_seq)

    # Then they are these, without what was known of their texts before
    assert [row["text"] for row in new.rows] == [f"Text {n}" for n in (*range(7), 9)]
    assert by_text(new)["Text 9"] == {"text": "Text 9", "scam": True, "labels": {}}
    assert by_text(new)["Text 0"] == {"text": "Text 0", "category": "legal", "labels": {}}
    assert new.last_label_seq is not None
    with pytest.raises(InvalidInput, match="the store has 0 new labelled postings"):
        taken(labelled, since=new.last_label_seq)


def test_a_label_that_came_before_its_posting_is_new_when_the_posting_comes(
    labelled: Database,
) -> None:
    # Given labels of postings that nobody has sent yet
    for number in range(20, 28):
        label(labelled, number, "scam", number % 2 == 0)
    first = taken(labelled)
    assert len(first.rows) == 10

    # When the postings come
    add_postings(labelled, *range(20, 28))

    # Then the next snapshot has them
    assert len(taken(labelled, since=first.last_label_seq).rows) == 8


def test_the_newest_of_several_people_counts(labelled: Database) -> None:
    label(labelled, 0, "scam", False, "bob")
    label(labelled, 1, "scam", True, "bob")
    label(labelled, 1, "scam", False, "ann")  # the same as before: no new answer

    rows = by_text(taken(labelled))

    assert rows["Text 0"]["scam"] is False
    with labelled.connect() as connection:
        in_force = {each.text: each.value for each in labels.training_texts(connection, "scam")}
    assert {text: row["scam"] for text, row in rows.items()} == in_force


def test_postings_with_one_text_are_one_row(labelled: Database) -> None:
    with labelled.begin() as connection:
        postings.upsert(connection, [posting(50, "Text 0")])
    label(labelled, 50, "category", "legal")

    assert by_text(taken(labelled))["Text 0"] == {
        "text": "Text 0",
        "scam": True,
        "category": "legal",
        "labels": {},
    }


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        (["a", "b"], "classification", ["a", "b"]),
        ([True, False], "classification", ["True", "False"]),
        ([1, 2.5], "regression", [1.0, 2.5]),
    ],
)
def test_one_kind_makes_rows_of_one_question(
    database: Database, values: list[Any], task: str, expected: list[Any]
) -> None:
    # Given eight labels of a kind of the user's own
    add_postings(database, *range(8))
    for number in range(8):
        label(database, number, "own", values[number % 2])

    # When a snapshot of this kind is taken; then its rows are those that the values ask for
    snapshot = taken(database, "own")

    field = "label" if task == "classification" else "value"
    assert snapshot.task == task
    assert [row[field] for row in snapshot.rows] == expected * 4


def test_texts_that_differ_in_case_alone_have_the_newest_label(labelled: Database) -> None:
    with labelled.begin() as connection:
        postings.upsert(connection, [posting(60, "TEXT  3")])
    label(labelled, 60, "scam", True)

    rows = {row["text"]: row["label"] for row in taken(labelled, "scam").rows}

    assert len(rows) == 10
    assert rows["TEXT  3"] == "True"


def test_numbers_are_classes_where_that_is_asked_for(database: Database) -> None:
    add_postings(database, *range(8))
    for number in range(8):
        label(database, number, "stars", float(number % 3))

    snapshot = taken(database, "stars", task="classification")

    assert {row["label"] for row in snapshot.rows} == {"0", "1", "2"}


def test_new_labels_may_be_all_alike_but_not_all_labels(labelled: Database) -> None:
    # Given eight labels of a kind, all of one class, that came after some moment
    with labelled.connect() as connection:
        before = changes.current(connection)
    for number in range(8):
        label(labelled, number, "own", "yes")

    # When they are taken as new ones; then they are there, for they are learnt beside others
    assert len(taken(labelled, "own", since=before).rows) == 8
    with pytest.raises(InvalidInput, match="must not be the same in all rows"):
        taken(labelled, "own")


def test_labels_that_do_not_fit_are_told_by_posting(labelled: Database) -> None:
    with pytest.raises(InvalidInput, match=r"labels of p0, value: .*found bool"):
        taken(labelled, "scam", task="regression")
    with pytest.raises(InvalidInput, match="labels of one kind are classes or numbers"):
        taken(labelled, "scam", task="similarity")
    with labelled.connect() as connection:
        assert list_datasets(connection) == []


def test_too_few_labels_say_how_many_there_are(database: Database) -> None:
    add_postings(database, 1)
    label(database, 1, "scam", True)

    with pytest.raises(InvalidInput, match="1 labelled postings for scam; it must be 8 to 50,000"):
        taken(database, ["scam"])


def test_texts_beyond_the_limit_are_cut_as_no_model_reads_so_far(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting(n, f"{n} " + "x" * 120_000) for n in range(8)])
    for number in range(8):
        label(database, number, "scam", number > 3)

    assert {len(row["text"]) for row in taken(database).rows} == {100_000}


def test_rows_that_a_producer_sent_become_a_snapshot_too(labelled: Database) -> None:
    # Given a dataset that a producer sent, with the very rows of the labels
    with labelled.connect() as connection:
        rows = [row.model_dump() for row in read_labels(connection, ["scam"]).rows]
    sent = Sender(labelled).send(rows, "multi-task", "sent")

    # When the snapshot is taken; then it is that one, and knows up to where it goes
    snapshot = taken(labelled, ["scam"])

    assert (snapshot.sha256, snapshot.name) == (sent.sha256, "sent")
    with labelled.connect() as connection:
        assert load(connection, sent.sha256).last_label_seq == changes.current(connection)


def test_the_store_keeps_the_first_number_of_a_snapshot_taken_twice(labelled: Database) -> None:
    first = taken(labelled, ["scam"])
    label(labelled, 0, "category", "legal")

    later = taken(labelled, ["scam"])

    assert later.sha256 == first.sha256
    with labelled.connect() as connection:
        assert later.last_label_seq == changes.current(connection) != first.last_label_seq
        assert load(connection, first.sha256).last_label_seq == first.last_label_seq


def test_labels_can_be_read_before_the_writers_turn(labelled: Database) -> None:
    with labelled.connect() as connection:
        read = read_labels(connection, KINDS)
    with labelled.begin() as connection:
        saved = save_snapshot(connection, read)

    assert saved == taken(labelled)


acts = st.tuples(st.integers(0, 9), st.sampled_from(["scam", "match"]), st.booleans())


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(acts, min_size=6, max_size=15), min_size=1, max_size=4))
def test_snapshots_one_after_the_other_hold_what_all_labels_say(
    sqlite: Database, batches: list[list[tuple[int, str, bool]]]
) -> None:
    # Given labels that come and change, and a reader who takes what is new now and then
    add_postings(emptied(sqlite), *range(10))
    since, learnt = 0, dict[str, dict[str, Any]]()
    for batch in batches:
        add_labels(sqlite, batch)
        try:
            new = taken(sqlite, ["scam", "match"], since=since)
        except InvalidInput:  # fewer than a training needs: they come with the next
            continue
        since = new.last_label_seq or 0
        for row in new.rows:
            learnt.setdefault(row["text"], {}).update(row)

    # When that is compared with all labels that the reader has been given
    with sqlite.connect() as connection:
        in_force = [each for each in labels.find(connection) if each.change_seq <= since]

    # Then no answer is missing or out of date
    for each in in_force:
        assert learnt[each.posting_id.replace("p", "Text ")][each.kind] == each.value


def add_labels(database: Database, batch: list[tuple[int, str, bool]]) -> None:
    rows = [
        {"posting_id": f"p{at}", "kind": kind, "value": value if kind == "scam" else float(value)}
        for at, kind, value in batch
    ]
    with database.begin() as connection:
        labels.add(connection, rows)
