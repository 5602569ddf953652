"""A training learns from a stored dataset, from all labels, or from new ones beside old ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.datasets import load
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.store import Database, labels, postings
from jobsentinel_workers.training import material
from jobsentinel_workers.training.material import Source

KINDS = ["category", "salary"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield database
    database.close()


def add_labels(store: Database, numbers: range) -> None:
    """Store postings with a category each."""
    with store.begin() as connection:
        postings.upsert(
            connection,
            [
                {
                    "id": f"p{n}",
                    "title": f"posting {n}",
                    "description": "",
                    "text": f"posting {n}",
                    "content_hash": f"{n:032x}",
                }
                for n in numbers
            ],
        )
        labels.add(
            connection,
            [{"posting_id": f"p{n}", "kind": "category", "value": "legal"} for n in numbers],
        )


def source(store: Database, champion: ModelVersion | None = None) -> Source:
    return Source(store, "multi-task", KINDS, champion, seed=0)


def champion_after(seq: object) -> ModelVersion:
    lineage = {} if seq is None else {"last_label_seq": seq}
    return ModelVersion("multi-task", 3, Path(), kind="multi-task", lineage=lineage)


def test_all_labels_are_a_snapshot_that_can_be_loaded_again(store: Database) -> None:
    add_labels(store, range(10))

    found = source(store).find("labels:all")

    assert (len(found.rows), found.new) == (10, None)
    with store.connect() as connection:
        again = load(connection, found.lineage["dataset"])
    assert list(again.rows) == found.rows
    assert source(store).find(found.lineage["dataset"]).rows == found.rows


def test_new_labels_come_first_and_old_ones_are_replayed_beside_them(store: Database) -> None:
    add_labels(store, range(20))
    seen = source(store).find("labels:all").lineage["last_label_seq"]
    add_labels(store, range(20, 30))

    found = source(store, champion_after(seen)).find("labels:new")

    texts = [row["text"] for row in found.rows]
    assert found.new == 10
    assert texts[:10] == [f"posting {n}" for n in range(20, 30)]
    assert sorted(texts[10:]) == sorted(f"posting {n}" for n in range(20))
    assert found.lineage["replayed_rows"] == 20
    assert found.lineage["last_label_seq"] > seen


def test_of_many_old_rows_a_part_is_replayed_the_same_for_the_same_seed(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "MIN_REPLAYED", 5)
    add_labels(store, range(60))
    seen = source(store).find("labels:all").lineage["last_label_seq"]
    add_labels(store, range(60, 70))

    found = source(store, champion_after(seen)).find("labels:new")

    assert len(found.rows) == 10 + material.REPLAY_RATIO * 10
    assert source(store, champion_after(seen)).find("labels:new").rows == found.rows


def test_for_a_champion_that_learnt_from_no_labels_all_are_new(store: Database) -> None:
    add_labels(store, range(10))

    found = source(store, champion_after(None)).find("labels:new")

    assert (len(found.rows), found.new) == (10, None)


def test_without_new_labels_the_number_is_named(store: Database) -> None:
    add_labels(store, range(10))
    seen = source(store).find("labels:all").lineage["last_label_seq"]

    with pytest.raises(InvalidInput, match="0 new labelled postings"):
        source(store, champion_after(seen)).find("labels:new")


def test_a_dataset_of_another_task_is_refused(store: Database) -> None:
    add_labels(store, range(10))
    taken = source(store).find("labels:all").lineage["dataset"]

    with pytest.raises(InvalidInput, match="multi-task rows, but the task is classification"):
        Source(store, "classification", "category", None, 0).find(taken)
    with pytest.raises(InvalidInput, match="is not stored"):
        source(store).find("0" * 64)


def add_feedback(store: Database, query: str) -> None:
    rows = [
        {"posting_id": f"p{n}", "kind": "relevance", "query": query, "value": n % 2}
        for n in range(10)
    ]
    with store.begin() as connection:
        labels.add(connection, rows)


def test_new_feedback_on_known_postings_is_learnt_beside_what_other_queries_said(
    store: Database,
) -> None:
    # Given a reranker that learnt from the feedback of two queries, and then a third one's
    add_labels(store, range(10))
    for query in ("nurse", "cook"):
        add_feedback(store, query)
    seen = Source(store, "reranker", "relevance", None, 0).find("labels:all")
    champion = champion_after(seen.lineage["last_label_seq"])
    add_feedback(store, "driver")

    # When what is new is taken
    found = Source(store, "reranker", "relevance", champion, 0).find("labels:new")

    # Then the third query's rows come first, and all others are replayed
    queries = [row["query"] for row in found.rows]
    assert found.new == 10
    assert queries == ["driver"] * 10 + ["nurse"] * 10 + ["cook"] * 10
    assert found.lineage["replayed_rows"] == 20
