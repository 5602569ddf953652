"""Datasets in the store: their ids, chunks in any order, seals, and what is never visible."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from typing import Any

import pytest
from dataset_stores import CLASSES, ROWS, Sender, digest_of_rows, emptied
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from jobsentinel.contract.datasets import task_answers
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.training_rows import MultiTaskRow
from jobsentinel_workers.datasets import (
    delete,
    list_datasets,
    load,
    remove_stale_uploads,
    resolve,
)
from jobsentinel_workers.fine_tuning import JobMatchingDataset
from jobsentinel_workers.store import Database, datasets
from jobsentinel_workers.store.schema import dataset_rows
from jobsentinel_workers.store.schema import datasets as table

SHA = digest_of_rows(CLASSES)
ABOUT = {"sha256": SHA, "task": "classification", "total_rows": len(CLASSES)}


def chunk(first: int, stop: int) -> dict[str, Any]:
    return {**ABOUT, "first_row": first, "rows": CLASSES[first:stop]}


@pytest.mark.parametrize("task", ROWS)
def test_rows_come_back_as_they_were_sent_under_their_hash(database: Database, task: Any) -> None:
    receipt = Sender(database).send(ROWS[task], task, "mine")

    with database.connect() as connection:
        stored = load(connection, receipt.sha256)
        (listed,) = list_datasets(connection)
    assert list(stored.rows) == [
        {"labels": {}} | row if task == "multi-task" else row for row in ROWS[task]
    ]
    assert (stored.task, stored.name, stored.sha256) == (task, "mine", receipt.sha256)
    assert (listed.sha256, listed.total_rows) == (receipt.sha256, len(ROWS[task]))


@pytest.mark.parametrize("task", ["classification", "regression", "similarity", "reranker"])
def test_the_id_is_the_hash_that_lineage_has(sender: Sender, task: Any) -> None:
    # Texts as scrapers find them: entities, runs of blanks, other Unicode forms
    field = {"similarity": "text_a"}.get(task, "text")
    rows = [
        {**row, field: f"R&amp;D  {row[field]}\u00a0caf\u0065\u0301 \n ﬁ"} for row in ROWS[task]
    ]

    assert sender.send(rows, task).sha256 == JobMatchingDataset.from_rows(rows, task).sha256


def test_pairs_that_belong_together_need_no_score(sender: Sender) -> None:
    pairs = [{"text_a": f"a {n}", "text_b": f"b {n}"} for n in range(8)]

    sent = sender.send(pairs, "similarity").sha256

    assert sent == JobMatchingDataset.from_rows(pairs, "similarity").sha256
    with pytest.raises(InvalidInput, match=r"rows\.score: must be given in all rows or in none"):
        sender.send([*pairs, {**pairs[0], "score": 0.5}], "similarity")


def test_the_id_of_multi_task_rows_is_the_hash_of_texts_and_answers(sender: Sender) -> None:
    parsed = [MultiTaskRow.parse(row) for row in ROWS["multi-task"]]
    learnt = json.dumps([[row.text, task_answers(row)] for row in parsed], sort_keys=True)

    sent = sender.send(ROWS["multi-task"], "multi-task").sha256

    assert sent == hashlib.sha256(learnt.encode()).hexdigest()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, len(CLASSES)), max_size=8), seed=st.integers(0, 99))
def test_any_cutting_in_any_order_gives_the_same_rows(
    sqlite: Database, cuts: list[int], seed: int
) -> None:
    # Given the rows cut anywhere, in any order, some of the chunks twice
    bounds = sorted({0, *cuts, len(CLASSES)})
    pieces = list(itertools.pairwise(bounds))
    pieces += pieces[:2]
    random.Random(seed).shuffle(pieces)
    sender = Sender(emptied(sqlite))

    # When they are sent
    stored = sum(sender.ask(chunk(*piece)).stored for piece in pieces)

    # Then each row is there once, in its place
    assert stored == len(CLASSES)
    assert sender.ask(ABOUT).state == "sealed"
    with sqlite.connect() as connection:
        assert list(load(connection, SHA).rows) == CLASSES


def test_nothing_is_visible_before_the_last_chunk_and_the_seal(database: Database) -> None:
    # Given all rows but two
    sender = Sender(database)
    sender.ask(chunk(0, 5))
    sender.ask(chunk(7, 20))

    # When the store is asked what lacks
    answer = sender.ask(ABOUT)

    # Then it names these rows, and nobody can read the others
    assert (answer.state, answer.missing) == ("open", ((5, 7),))
    with database.connect() as connection:
        assert list_datasets(connection) == []
        with pytest.raises(InvalidInput, match="18 of 20 rows are there"):
            load(connection, SHA)
    sender.ask(chunk(5, 7))
    with database.connect() as connection:
        assert list_datasets(connection) == []
    assert sender.ask(ABOUT).state == "sealed"


def test_what_is_asked_first_lacks_everything_and_writes_nothing(database: Database) -> None:
    answer = Sender(database).ask(ABOUT)

    assert (answer.state, answer.missing) == ("open", ((0, 20),))
    with database.connect() as connection:
        assert datasets.find(connection, SHA) is None


def test_rows_of_another_hash_are_dropped_and_never_sealed(database: Database) -> None:
    # Given an upload one of whose rows is not that of the announced dataset
    sender = Sender(database)
    wrong = [*CLASSES[:19], {"text": "other", "label": "no"}]
    sender.ask({**ABOUT, "rows": wrong})

    # When it is to be sealed; then it is refused, and the right rows can be sent
    with pytest.raises(InvalidInput, match=f"{digest_of_rows(wrong)}"):
        sender.ask(ABOUT)
    with database.connect() as connection:
        assert datasets.find(connection, SHA) is None
    assert sender.send(CLASSES).sent_rows == 20


def test_another_number_of_rows_under_one_id_is_refused(sender: Sender) -> None:
    sender.ask(chunk(0, 10))

    with pytest.raises(InvalidInput, match="stored as 20 rows for classification"):
        sender.ask({**chunk(0, 10), "total_rows": 21})


def test_rows_altered_in_the_store_are_not_trained_on(database: Database) -> None:
    # Given a dataset of which somebody changed a row by hand
    Sender(database).send(CLASSES)
    with database.begin() as connection:
        here = dataset_rows.c.position == 3
        changed = {"text": "Nurse 3, nights", "label": "maybe"}
        connection.execute(update(dataset_rows).where(here).values(content=changed))

    # Then it is not given out
    with database.connect() as connection, pytest.raises(InvalidInput, match="was altered"):
        load(connection, SHA)


def test_a_dataset_is_found_by_the_beginning_of_its_id_and_deleted(database: Database) -> None:
    # Given two datasets
    sender = Sender(database)
    sender.send(CLASSES)
    other = sender.send(ROWS["regression"], "regression").sha256

    # When one is deleted by a prefix
    with database.begin() as connection:
        assert delete(connection, resolve(connection, SHA[:8]).sha256)

    # Then it is gone with its rows, and the other is not
    with database.connect() as connection:
        assert datasets.count_rows(connection, SHA) == 0
        assert load(connection, other).rows
        with pytest.raises(InvalidInput, match="is not stored"):
            load(connection, SHA)
        with pytest.raises(InvalidInput, match="no dataset begins with"):
            resolve(connection, SHA[:8])
        with pytest.raises(InvalidInput, match="4 to 64 of the digits"):
            resolve(connection, "xyz")
    assert sender.send(CLASSES).sent_rows == 20


def test_a_prefix_of_two_datasets_is_refused(database: Database) -> None:
    with database.begin() as connection:
        for end in "ab":
            datasets.open_upload(connection, "0" * 63 + end, "classification", 8)

    with database.connect() as connection, pytest.raises(InvalidInput, match="several datasets"):
        resolve(connection, "0000")


def test_uploads_that_nobody_goes_on_with_are_removed_after_a_week(database: Database) -> None:
    # Given a sealed dataset and two uploads, one of them abandoned eight days ago
    sender = Sender(database)
    sealed = sender.send(ROWS["regression"], "regression").sha256
    sender.ask(chunk(0, 10))
    old = {**ABOUT, "sha256": "0" * 64}
    sender.ask({**old, "rows": CLASSES[:10]})
    with database.begin() as connection:
        long_ago = {"updated_at": "2020-01-01T00:00:00.000000Z"}
        for sha256 in (sealed, "0" * 64):
            connection.execute(update(table).where(table.c.sha256 == sha256).values(**long_ago))

    # When the house is kept
    with database.begin() as connection:
        removed = remove_stale_uploads(connection)

    # Then the abandoned one alone is gone
    assert removed == 1
    with database.connect() as connection:
        assert datasets.find(connection, "0" * 64) is None
        assert datasets.count_rows(connection, "0" * 64) == 0
        assert datasets.count_rows(connection, SHA) == 10
        assert load(connection, sealed).rows


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"text": "t", "label": 3}], "rows.0.label"),
        ([{"text": "t", "label": "x"}, {"text": " ", "label": "x"}], "rows.1.text"),
        ([{"text": "&nbsp;", "label": "x"}], "nothing but markup and blanks"),
        ([{"text": "t", "label": "ﷺ" * 500}], "at most 1,000 characters"),
        ([["t", "x"]], "is a list, not a mapping"),
        ("rows", "must be a list"),
        ([{"text": "t", "value": 1.0}], "rows.0"),
    ],
)
def test_the_worker_checks_rows_again(sender: Sender, rows: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        sender.ask({**ABOUT, "rows": rows})


def test_what_a_dataset_holds_is_counted_when_it_is_sealed(
    sender: Sender, sqlite: Database
) -> None:
    ids = {task: sender.send(rows, task).sha256 for task, rows in ROWS.items()}

    with sqlite.connect() as connection:
        found = {task: resolve(connection, sha256).summary for task, sha256 in ids.items()}
    assert found["classification"] == {"classes": {"yes": 13, "no": 7}}
    assert found["regression"] == {
        "lowest": 0.0,
        "mean": pytest.approx(sum(range(10)) / 70),
        "highest": 9 / 7,
    }
    assert found["multi-task"] == {
        "answers": {"salary_year_usd": 8, "scam": 8, "category": 4, "size": 4, "tags": 4}
    }
