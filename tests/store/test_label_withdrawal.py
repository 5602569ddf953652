"""Labels that are taken back go to the history, and only if they still count."""

from __future__ import annotations

from store_process import posting

from jobsentinel_workers.store import Database, labels, postings
from jobsentinel_workers.store.label_withdrawal import withdraw

ROW = {
    "posting_id": "a",
    "kind": "category",
    "value": "legal",
    "annotator": "ann",
    "created_at": "2026-11-23T10:00:00.000001Z",
}


def test_a_label_that_is_taken_back_is_history_and_does_not_come_again(database: Database) -> None:
    # Given a label
    with database.begin() as connection:
        postings.upsert(connection, [posting("a")])
        labels.add(connection, [ROW])

    # When it is taken back, twice, and delivered once more
    with database.begin() as connection:
        taken = [withdraw(connection, ROW) for _ in range(2)]
        again = labels.add(connection, [ROW])

    # Then it is in the history alone, and a later one of the same value counts
    assert (taken, again) == ([True, False], 0)
    with database.begin() as connection:
        assert labels.find(connection) == []
        assert [old.value for old in labels.history(connection, "a", "category")] == ["legal"]
        assert labels.add(connection, [{**ROW, "created_at": "2026-11-23T11:00:00Z"}]) == 1


def test_a_label_that_was_replaced_or_is_another_persons_is_left_alone(database: Database) -> None:
    later = {**ROW, "value": "science_research", "created_at": "2026-11-23T11:00:00Z"}
    with database.begin() as connection:
        labels.add(connection, [ROW, later, {**ROW, "annotator": "bob"}])

        assert not withdraw(connection, ROW)
        assert not withdraw(connection, {**later, "value": "legal"})
        assert withdraw(connection, {**ROW, "annotator": "bob"})

        assert [label.value for label in labels.find(connection)] == ["science_research"]
