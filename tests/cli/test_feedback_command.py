"""label feedback over a real Redis, with answers that the test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from jobsentinel.contract import results
from jobsentinel.contract.base import Message, dump

Run = Callable[..., Result]
Write = Callable[..., Path]


@pytest.fixture
def sent(worker: Any) -> Callable[[], list[Any]]:
    """A worker that takes labels; gives those it got, in messages, as plain values."""

    def answer(request: Any) -> Message:
        return results.AddLabelsResult(stored=len(request.labels), unchanged=0)

    worker.answer(add_labels=answer)
    return lambda: [[dump(label) for label in request.labels] for request in worker.requests]


def test_feedback_of_a_file_goes_in_and_broken_lines_are_named(
    run: Run, sent: Any, write_lines: Write
) -> None:
    # Given lines of feedback, some of which are broken
    good = [
        {"posting_id": "a", "query": "nurse", "event": "applied", "shown_rank": 3},
        {"posting_id": "b", "query": "nurse", "value": 0.5, "annotator": "ann"},
    ]
    broken = [
        {"posting_id": "c", "event": "saved"},
        {"posting_id": "d", "query": "nurse", "value": 7},
        {"posting_id": "e", "query": "nurse", "event": "hired"},
        {"posting_id": "f", "kind": "scam", "value": True},
        ["g"],
    ]
    file = write_lines(good[0], *broken, good[1])

    # When the file is stored
    result = run("label", "feedback", file, "--json")

    # Then the sound ones are, and each of the others is told by line and field
    assert result.exit_code == 3
    assert sent() == [[{"kind": "relevance", **row} for row in good]]
    assert json.loads(result.stdout) == {"stored": 2, "unchanged": 0, "skipped": 5}
    for told in (
        "skipped: rows.jsonl:2: query: is missing; a label of kind 'relevance' belongs to a query",
        "skipped: rows.jsonl:3: value: must be a number from 0 to 1",
        "skipped: rows.jsonl:4: event: Input should be 'applied'",
        "skipped: rows.jsonl:5: kind: must be 'relevance'; other labels go by `label add`",
        "skipped: rows.jsonl:6: line: is a list; write one object a line",
    ):
        assert told in result.stderr


def test_a_query_and_a_name_stand_for_the_lines_that_lack_them(
    run: Run, sent: Any, write_lines: Write, tmp_path: Path
) -> None:
    resume = tmp_path / "resume.txt"
    resume.write_text("Registered nurse,\nten years", encoding="utf-8")
    own = {"posting_id": "b", "query": "cook", "event": "saved", "annotator": "bob"}
    file = write_lines({"posting_id": "a", "query": None, "event": "saved"}, own)

    result = run("label", "feedback", file, "--query-file", resume, "--by", "ann")

    assert result.exit_code == 0
    (first, second), *_ = sent()
    assert (first["query"], first["annotator"]) == ("Registered nurse,\nten years", "ann")
    assert (second["query"], second["annotator"]) == ("cook", "bob")


def test_one_row_of_feedback_needs_no_file(run: Run, sent: Any) -> None:
    said = ("--event", "rated", "--value", 0.75, "--rank", 2, "--by", "ann")

    result = run("label", "feedback", "--posting", "a", "--query", "nurse", *said)

    assert result.exit_code == 0
    expected = {
        **{"posting_id": "a", "kind": "relevance", "query": "nurse", "event": "rated"},
        **{"value": 0.75, "shown_rank": 2, "annotator": "ann"},
    }
    assert sent() == [[expected]]
    assert "1 label new or changed, 0 there already" in result.stderr


def test_long_queries_are_cut_into_messages_that_the_fleet_takes(
    run: Run, sent: Any, write_lines: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobsentinel.contract.limits.MAX_CHUNK_BYTES", 4 * 250)
    rows = [{"posting_id": f"p{n}", "query": "q" * 100, "event": "saved"} for n in range(5)]

    result = run("label", "feedback", write_lines(*rows))

    assert result.exit_code == 0
    assert [len(message) for message in sent()] == [2, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "FILE: or --posting must be given"),
        (("FILE", "--posting", "a"), "FILE: must not be given beside --posting"),
        (("FILE", "--rank", 2), "FILE: must not be given beside"),
        (("--posting", "a", "--event", "saved"), "query: is missing"),
        (("--posting", "a", "--query", "q"), "value: is missing"),
        (("--posting", "a", "--query", "q", "--value", 2), "value: must be a number from 0 to 1"),
        (("FILE", "--query", "q", "--query-file", "FILE"), "not be given beside --query"),
        (("--posting", "a", "--query", "q", "--event", "hired"), "'hired' is not one of"),
    ],
)
def test_feedback_that_is_asked_for_wrongly_sends_nothing(
    run: Run, write_lines: Write, arguments: tuple[object, ...], told: str
) -> None:
    file = write_lines({"posting_id": "a", "query": "q", "event": "saved"})

    result = run("label", "feedback", *(file if each == "FILE" else each for each in arguments))

    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
