"""train: runs are sent, followed, left and cancelled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from jobsentinel.contract import results
from jobsentinel.contract.base import Message

Run = Callable[..., Result]
Write = Callable[..., Path]


def trained(request: Any) -> Message:
    return results.TrainResult(
        run_id="run-1",
        model=request.name,
        version=4,
        promoted=request.promote,
        metrics={"accuracy": 0.75},
        seconds=2.5,
    )


def texts(count: int = 8) -> list[dict[str, object]]:
    return [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(count)]


def test_fine_tune_prints_the_version_and_its_metrics(
    run: Run, worker: Any, write_lines: Write
) -> None:
    # Given a worker
    worker.answer(fine_tune=trained)

    # When a classifier is trained with options
    result = run(
        *("train", "fine-tune", "mine", write_lines(*texts()), "--task", "classification"),
        *("--method", "full", "--epochs", 2, "--learning-rate", 0.001, "--no-promote"),
    )

    # Then they reach the worker, and the answer is shown with what to do next
    assert result.exit_code == 0
    assert "mine version 4" in result.stdout
    assert "accuracy    0.75" in result.stdout
    assert "`jobsentinel models promote mine 4`" in result.stderr
    (request,) = worker.requests
    assert (request.method, request.epochs, request.learning_rate) == ("full", 2, 0.001)
    assert not request.promote
    assert len(request.rows) == 8


def test_what_is_not_given_is_left_to_the_contract(
    run: Run, worker: Any, write_lines: Write
) -> None:
    worker.answer(fine_tune=trained)

    result = run(
        "train", "fine-tune", "mine", write_lines(*texts()), "--task", "classification", "--json"
    )

    assert json.loads(result.stdout)["promoted"] is True
    (request,) = worker.requests
    assert request == type(request).parse(
        {"name": "mine", "task": "classification", "rows": texts()}
    )


def test_rows_of_another_task_are_named_by_line(run: Run, write_lines: Write) -> None:
    result = run("train", "fine-tune", "mine", write_lines(*texts()), "--task", "regression")

    assert result.exit_code == 2
    assert "rows.jsonl:1: value: is missing" in result.stderr


def test_a_dataset_of_one_class_is_refused_before_it_is_sent(run: Run, write_lines: Write) -> None:
    rows = [{"text": f"text {i}", "label": "a"} for i in range(8)]

    result = run("train", "fine-tune", "mine", write_lines(*rows), "--task", "classification")

    assert result.exit_code == 2
    assert "rows: hold 1 distinct label(s)" in result.stderr


def test_multi_task_takes_rows_or_the_stored_labels(
    run: Run, worker: Any, write_lines: Write
) -> None:
    worker.answer(train_multi_task=trained)
    rows = [{"text": f"text {i}", "scam": i % 2 == 0} for i in range(8)]

    with_rows = run("train", "multi-task", write_lines(*rows), "--seed", 3)
    without = run("train", "multi-task")

    assert (with_rows.exit_code, without.exit_code) == (0, 0)
    assert [request.rows is None for request in worker.requests] == [False, True]
    assert worker.requests[0].seed == 3


def test_a_run_can_be_left_alone_and_cancelled(run: Run, write_lines: Write) -> None:
    # Given a run that nobody works on yet, left alone
    left = run(
        *("train", "fine-tune", "mine", write_lines(*texts()), "--task", "classification"),
        *("--no-wait", "--json"),
    )
    job = json.loads(left.stdout)
    assert job["state"] == "queued"

    # When it is cancelled, twice, and an unknown one too
    cancelled = run("train", "cancel", job["job_id"], "--json")
    again = run("train", "cancel", job["job_id"])
    unknown = run("train", "cancel", "no-such-job")

    # Then the codes say what was there to cancel
    assert json.loads(cancelled.stdout) == {"job_id": job["job_id"], "was": "queued"}
    assert [cancelled.exit_code, again.exit_code, unknown.exit_code] == [0, 0, 1]


def test_a_dataset_takes_the_place_of_a_file_and_limits_of_the_gate_are_sent(
    run: Run, worker: Any
) -> None:
    worker.answer(fine_tune=trained)

    result = run(
        *("train", "fine-tune", "mine", "--task", "classification", "--dataset", "labels:new"),
        *("--base", "champion", "--label-kind", "remote", "--gate", "min_rows=30"),
        *("--gate", "guard_by=lower_bound"),
    )

    assert result.exit_code == 0, result.stderr
    (request,) = worker.requests
    assert (request.rows, request.dataset, request.base) == (None, "labels:new", "champion")
    assert request.label_kind == "remote"
    assert request.gate == {"min_rows": 30, "guard_by": "lower_bound"}


def test_a_training_without_rows_or_with_two_kinds_of_them_is_refused(
    run: Run, write_lines: Write
) -> None:
    file = write_lines(*texts())

    neither = run("train", "fine-tune", "mine", "--task", "classification")
    both = run(
        *("train", "fine-tune", "mine", file, "--task", "classification"),
        *("--dataset", "labels:all"),
    )
    odd = run("train", "multi-task", "--gate", "min_rows")

    assert [each.exit_code for each in (neither, both, odd)] == [2, 2, 2]
    assert "rows: or dataset must be given, and not both" in neither.stderr
    assert "rows: or dataset must be given, and not both" in both.stderr
    assert "'min_rows' is not LIMIT=VALUE" in odd.stderr
