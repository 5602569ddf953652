"""`jobsentinel remove`: what it asks for, and what it refuses to send."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.removals import RemovePostingsResult


def _removes_all_but_one(request: Any) -> Message:
    ids = request.ids or ("a", "b")
    return RemovePostingsResult(removed=len(ids) - 1, unknown=1 if request.ids else 0)


def test_ids_are_removed_and_counted(run: Any, worker: Any) -> None:
    worker.answer(remove=_removes_all_but_one)

    result = run("remove", "a", "b", "c", "--json")

    assert json.loads(result.stdout) == {"removed": 2, "unknown": 1}
    assert "2 postings removed, 1 not there" in result.stderr
    assert [request.ids for request in worker.requests] == [("a", "b", "c")]


def test_a_file_may_hold_ids_or_postings(
    run: Any, worker: Any, write_lines: Callable[..., Path]
) -> None:
    worker.answer(remove=_removes_all_but_one)
    file = write_lines("a", json.dumps("b"), {"id": "c", "title": "Nurse"})
    file.write_text('"a"\n{"id": "c", "title": "Nurse"}\n', encoding="utf-8")

    result = run("remove", "--file", file)

    assert result.exit_code == 0
    assert [request.ids for request in worker.requests] == [("a", "c")]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("--posted-before", "2026-11-01"), {"posted_before": "2026-11-01"}),
        (("--not-seen-for", "30d"), {"not_seen_for_days": 30.0}),
        (("--not-seen-for", "4w"), {"not_seen_for_days": 28.0}),
    ],
)
def test_an_age_is_sent_as_it_is(
    run: Any, worker: Any, arguments: tuple[str, ...], asked: dict[str, Any]
) -> None:
    worker.answer(remove=_removes_all_but_one)

    result = run("remove", *arguments)

    assert result.exit_code == 0
    assert [dump(request) for request in worker.requests] == [asked]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give one of ID, --file, --posted-before, --not-seen-for (has none)"),
        (("a", "--not-seen-for", "30d"), "has ID and --not-seen-for"),
        (("--not-seen-for", "30"), "must be days or weeks, such as 30d or 4w"),
        (("--not-seen-for", "0d"), "must be days or weeks"),
        (("--posted-before", "yesterday"), "does not match the format"),
        ((" a",), "ids.0"),
    ],
)
def test_what_is_unclear_is_refused_and_nothing_is_sent(
    run: Any, arguments: tuple[str, ...], problem: str, producer: Any
) -> None:
    result = run("remove", *arguments)

    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.split())
    assert sum(producer.depths().values()) == 0


def test_a_bad_line_is_told_before_anything_is_removed(
    run: Any, write_lines: Callable[..., Path], producer: Any
) -> None:
    file = write_lines({"id": "a"}, {"title": "no id"})

    result = run("remove", "--file", file)

    assert result.exit_code == 2
    assert "rows.jsonl:2: id: must be text" in result.stderr
    assert sum(producer.depths().values()) == 0
