"""Sending: read twice, send once, go on after a break, and never send what is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dataset_stores import CLASSES, SEVERAL, Sender, digest_of_rows, emptied, lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobsentinel.contract.datasets import ClassificationRow
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.dataset_sending import MAX_CHUNK_CHARS, chunks
from jobsentinel_workers.datasets import list_datasets, load
from jobsentinel_workers.store import Database

ROWS = [ClassificationRow.parse(row) for row in CLASSES]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chunk_rows=st.integers(1, 25), cut_after=st.integers(0, 12), second=st.integers(1, 25))
def test_an_upload_that_was_torn_off_goes_on_and_sends_only_what_lacks(
    sqlite: Database, chunk_rows: int, cut_after: int, second: int
) -> None:
    # Given a connection that breaks at some request, and chunks that are cut otherwise later
    torn = Sender(emptied(sqlite))
    torn.cut_after = cut_after
    with contextlib.suppress(ConnectionResetError):
        torn.send(CLASSES, chunk_rows=chunk_rows)

    # When the same is sent again
    again = Sender(sqlite)
    receipt = again.send(CLASSES, chunk_rows=second)

    # Then both have sent each row once, and the dataset is whole
    assert torn.rows_sent + again.rows_sent == len(CLASSES)
    assert receipt.sent_rows == again.rows_sent
    with sqlite.connect() as connection:
        assert list(load(connection, receipt.sha256).rows) == CLASSES


@given(
    size=st.integers(1, 25),
    bounds=st.lists(st.integers(0, 20), min_size=2, max_size=8, unique=True),
)
def test_chunks_hold_the_rows_of_the_gaps_and_no_others(size: int, bounds: list[int]) -> None:
    # Given some gaps in 20 rows
    ordered = sorted(bounds[: len(bounds) // 2 * 2])
    gaps = list(zip(ordered[::2], ordered[1::2], strict=True))

    # When they are cut
    cut = list(chunks(ROWS, gaps, size))

    # Then every row of a gap is there once, at its place, and no chunk is too large
    placed = {first + n: row for first, rows in cut for n, row in enumerate(rows)}
    assert placed == {n: ROWS[n] for start, stop in gaps for n in range(start, stop)}
    assert sum(len(rows) for _, rows in cut) == len(placed)
    assert all(1 <= len(rows) <= size for _, rows in cut)


def test_long_texts_make_chunks_of_fewer_rows() -> None:
    long = [ClassificationRow(text="x" * 90_000, label=str(n % 2)) for n in range(30)]

    cut = [rows for _, rows in chunks(long, [(0, 30)], 1_000)]

    assert len(cut) == 3
    assert all(sum(len(row.text) for row in rows) <= MAX_CHUNK_CHARS for rows in cut)


def test_the_same_rows_under_two_names_are_stored_once_and_keep_the_first(
    sender: Sender, sqlite: Database
) -> None:
    # Given a dataset
    first = sender.send(CLASSES, name="first")
    asked = len(sender.requests)

    # When it is sent again under another name
    second = sender.send(list(CLASSES), name="second")

    # Then nothing but a question was sent, and the answer says under which name it is stored
    assert (first.was_stored, second.was_stored) == (False, True)
    assert (second.name, second.sent_rows, len(sender.requests) - asked) == ("first", 0, 1)
    with sqlite.connect() as connection:
        assert [each.name for each in list_datasets(connection)] == ["first"]


def test_an_iterator_is_drawn_on_once(sender: Sender, sqlite: Database) -> None:
    receipt = sender.send(iter(SEVERAL), "multi-task")

    assert receipt.sha256 == digest_of_rows(SEVERAL, "multi-task")
    with sqlite.connect() as connection:
        assert len(load(connection, receipt.sha256).rows) == len(SEVERAL)


def test_a_file_that_changes_while_it_is_sent_is_never_stored(
    sqlite: Database, write: Callable[[str, Any], Path]
) -> None:
    # Given a file that somebody writes to between the two readings
    path = write("rows.jsonl", lines(CLASSES))
    sender = Sender(sqlite)
    ask = sender.ask

    def changing(request: Any) -> Any:
        path.write_text(lines([{**row, "label": "no"} for row in CLASSES]))
        return ask(request)

    sender.ask = changing  # type: ignore[method-assign]  # the moment between two steps

    # When it is sent; then the store refuses it, and a later sending is free to begin anew
    with pytest.raises(InvalidInput, match="were they changed meanwhile"):
        sender.send(path)
    with sqlite.connect() as connection:
        assert list_datasets(connection) == []
    assert Sender(sqlite).send(CLASSES).sent_rows == len(CLASSES)


def test_progress_tells_rows_stored_of_all(sender: Sender) -> None:
    told: list[tuple[int, int]] = []

    sender.send(
        CLASSES, chunk_rows=6, on_progress=lambda stored, total: told.append((stored, total))
    )

    assert told == [(6, 20), (12, 20), (18, 20), (20, 20), (20, 20)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"chunk_rows": 0}, "chunk_rows: is 0; it must be 1 to"),
        ({"task": "ranking"}, "task: is 'ranking', not one of"),
        ({"name": ""}, "name: "),
        ({"name": "x" * 1_001}, "name: "),
    ],
)
def test_options_out_of_bounds_are_refused(sender: Sender, options: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        sender.send(CLASSES, **options)
    assert sender.requests == []
