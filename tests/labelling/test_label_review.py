"""label review over a real store: flips that are known, and annotators who differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from stored_postings import COOK, NURSE, category_of, name_of, store_scored

from jobsentinel_workers.store import Database, labels, postings

Run = Callable[..., Result]

FLIPPED = (3, 8, 21, 40)


def store_labels(database: Database, *rows: dict[str, Any]) -> None:
    with database.begin() as connection:
        labels.add(connection, rows)


def label(number: int, value: object, annotator: str = "ann", kind: str = "category") -> Any:
    return {"posting_id": name_of(number), "kind": kind, "value": value, "annotator": annotator}


def other(category: str) -> str:
    return COOK if category == NURSE else NURSE


def labelled(count: int) -> list[dict[str, Any]]:
    """Return a label for each posting, right but for those flipped."""
    return [
        label(number, other(category_of(number)) if number in FLIPPED else category_of(number))
        for number in range(count)
    ]


def rows_of(result: Result, what: str) -> list[Any]:
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return [row for row in rows if row["what"] == what]


def test_flipped_labels_and_contradictions_are_listed(run: Run, database: Database) -> None:
    # Given sixty labelled postings, four labels of which are wrong, and others' opinions on two
    store_scored(database, 60)
    store_labels(database, *labelled(60), label(0, NURSE, "cat"))
    store_labels(database, label(0, COOK, "bob"), label(1, COOK, "bob"))

    # When labels are reviewed
    result = run("label", "review", "--kind", "category", "--json")
    table = run("label", "review", "--kind", "category")

    # Then the wrong ones are listed with what they are held for
    suspicious = rows_of(result, "suspicious")
    assert {row["posting_id"] for row in suspicious} == {name_of(number) for number in FLIPPED}
    for row in suspicious:
        assert row["likeliest"] == other(row["value"])
        assert row["label_probability"] < 0.5 < row["likeliest_probability"]
        assert row["annotators"] == ["ann"]
    assert [row["margin"] for row in suspicious] == sorted(row["margin"] for row in suspicious)
    # And so is the posting on which the annotators differ
    (against,) = rows_of(result, "contradiction")
    assert (against["posting_id"], against["values"]) == (
        "job-000",
        {"ann": NURSE, "bob": COOK, "cat": NURSE},
    )
    assert result.exit_code == table.exit_code == 0
    assert (
        "4 suspicious labels out of 60 judged; about 7% of all are probably wrong" in table.stderr
    )
    assert "bob: Retail, Hospitality & Food" in table.stdout


def test_the_models_own_opinion_has_no_part_in_it(run: Run, database: Database) -> None:
    # Given wrong labels with which the model in service agrees, since it has learnt them
    store_scored(database, 60)
    agreeing = [label(number, NURSE) for number in FLIPPED if category_of(number) == COOK]
    store_labels(database, *labelled(60), *agreeing)

    # When labels are reviewed
    result = run("label", "review", "--kind", "category", "--json")

    # Then they are found all the same
    found = {row["posting_id"] for row in rows_of(result, "suspicious")}
    assert found == {name_of(number) for number in FLIPPED}


def test_what_cannot_be_judged_is_counted_by_its_reason(run: Run, database: Database) -> None:
    # Given a class with a single text, a posting that is gone, and one without an embedding
    store_scored(database, 40)
    bare = {"id": "bare", "title": "T", "description": "", "content_hash": "none", "text": "T"}
    with database.begin() as connection:
        postings.upsert(connection, [bare])
        postings.delete(connection, [name_of(39)])
    rare = label(38, "legal")
    store_labels(database, *labelled(38), rare, label(39, COOK))
    store_labels(database, {**rare, "posting_id": "bare", "value": NURSE})

    # When labels are reviewed
    result = run("label", "review", "--kind", "category")

    # Then the rest is judged
    assert "out of 38 judged" in result.stderr
    assert "1 posting of classes with fewer than 5 different texts" in result.stderr
    assert "1 posting without an embedding" in result.stderr
    assert "1 posting that is not stored" in result.stderr


@pytest.mark.parametrize(
    ("kind", "values", "differ"),
    [
        ("salary", (50_000.0, 54_000.0), 0),
        ("salary", (50_000.0, 60_000.0), 1),
        ("match", (0.5, 0.55), 0),
        ("match", (0.1, 0.3), 1),
        ("scam", (True, False), 1),
    ],
)
def test_answers_that_are_far_apart_contradict_each_other(
    run: Run, database: Database, *, kind: str, values: tuple[Any, Any], differ: int
) -> None:
    store_scored(database, 1)
    store_labels(database, label(0, values[0], "ann", kind), label(0, values[1], "bob", kind))

    result = run("label", "review", "--kind", kind, "--json")

    assert len(rows_of(result, "contradiction")) == differ
    assert rows_of(result, "suspicious") == []


def test_a_kind_without_labels_is_refused(run: Run, database: Database) -> None:
    result = run("label", "review", "--kind", "category")

    assert result.exit_code == 2
    assert "'category' has no labels yet" in result.stderr
