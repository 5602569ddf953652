"""runs, results and status over a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from jobsentinel import Settings
from jobsentinel_workers.store import Database, results, runs

Run = Callable[..., Result]

SCORE = {
    "posting_id": "job-1",
    "category": {"label": "healthcare", "probability": 0.9, "probabilities": {"healthcare": 0.9}},
    "salary_year_usd": {"value": 81000.0, "low": 60000.0, "high": 99400.0},
    "scam": {"probability": 0.02, "is_scam": False, "threshold": 0.5},
    "custom": {},
}


def json_rows(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def save_score(database: Database, job_id: str, posting_id: str, payload: Any = SCORE) -> None:
    with database.begin() as connection:
        rows = [(posting_id, {**payload, "posting_id": posting_id})]
        model = {"name": "multi-task", "version": 2, "precision": "fp32"}
        results.save(connection, job_id, "score", rows, fencing_token=1, model=model)


@pytest.mark.parametrize(
    "command",
    [
        "runs list",
        "runs show x",
        "results list",
        "results export",
        "dead-letters list",
        "dead-letters replay x",
        "dead-letters drop --all --yes",
    ],
)
def test_a_folder_without_a_store_is_named_and_none_is_made(
    run: Run, settings: Settings, command: str
) -> None:
    result = run(*command.split())

    assert result.exit_code == 1
    assert f"there is no store at {settings.data_dir / 'jobsentinel.db'}" in result.stderr
    assert not settings.data_dir.exists()


def test_results_are_listed_newest_first_and_filtered(run: Run, database: Database) -> None:
    # Given results of three jobs
    for number in (1, 2, 3):
        save_score(database, f"score-{number}", f"job-{number}")

    # When they are listed
    table = run("results", "list", "--limit", 2)
    rows = json_rows(run("results", "list", "--posting", "job-1", "--json"))
    none = run("results", "list", "--task", "rerank", "--json")

    # Then the newest come first, and a filter keeps what it names
    lines = table.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["job-3", "job-2"]
    assert "Healthcare" in lines[2]
    assert "$81k (60k–99k)" in lines[2]
    assert max(map(len, lines)) <= 80
    assert [row["payload"]["posting_id"] for row in rows] == ["job-1"]
    assert none.stdout == ""


def test_export_writes_all_results_oldest_first_and_goes_on_where_it_was(
    run: Run, database: Database, tmp_path: Path
) -> None:
    # Given two results, exported
    save_score(database, "score-1", "job-1")
    save_score(database, "score-2", "job-2")
    first = json_rows(run("results", "export"))

    # When a third comes and what is new is exported to a file
    save_score(database, "score-3", "job-3")
    file = tmp_path / "new.jsonl"
    result = run("results", "export", "--since", first[-1]["change_seq"], "--output", file)

    # Then nothing is missing and nothing comes twice
    assert [row["item_id"] for row in first] == ["job-1", "job-2"]
    assert [json.loads(line)["item_id"] for line in file.read_text().splitlines()] == ["job-3"]
    assert result.stdout == ""
    assert "1 result exported" in result.stderr


def test_a_result_of_another_version_is_told_and_not_hidden(run: Run, database: Database) -> None:
    save_score(database, "score-1", "job-1", {"match_quality": "good"})

    result = run("results", "list")

    assert "cannot show the result for 'job-1'" in result.stderr
    assert json_rows(run("results", "list", "--json"))[0]["payload"]["match_quality"] == "good"


def test_runs_are_listed_and_shown_with_their_metrics(run: Run, database: Database) -> None:
    # Given a run that is done and one that waits
    with database.begin() as connection:
        runs.create(connection, "fine_tune-1", "fine_tune", config={"epochs": 3}, total_steps=9)
        runs.progress(connection, "fine_tune-1", state="running", step=9, loss=0.25)
        runs.finish(
            *(connection, "fine_tune-1", "done"),
            metrics={"accuracy": 0.8125},
            model_name="mine",
            model_version=4,
        )
        runs.create(connection, "fine_tune-2", "fine_tune")

    # When they are looked at
    table = run("runs", "list").stdout
    waiting = json_rows(run("runs", "list", "--state", "queued", "--json"))
    shown = run("runs", "show", "fine_tune-1").stdout

    # Then each says where it stands
    assert "9/9  mine 4" in table
    assert [row["run_id"] for row in waiting] == ["fine_tune-2"]
    assert "metric accuracy  0.8125" in shown
    assert "config epochs    3" in shown


def test_what_is_not_there_is_named(run: Run, database: Database) -> None:
    for command in ("runs", "dead-letters"):
        result = run(command, "show", "no-such-id")
        assert result.exit_code == 2
        assert "'no-such-id'" in result.stderr


def test_status_counts_queues_and_store(run: Run, database: Database, producer: Any) -> None:
    # Given a waiting job, a stored result, and no worker
    producer.score([{"id": "a", "title": "Nurse"}, {"id": "b", "title": "Cook"}])
    save_score(database, "score-1", "job-1")

    # When the status is asked for
    (report,) = json_rows(run("status", "--json"))
    table = run("status")

    # Then it has both, and no password
    assert report["waiting"] == {"inference.interactive": 0, "inference.bulk": 1, "training": 0}
    assert report["store"]["results"] == 1
    assert report["workers"] == []
    assert ":***@" in report["redis"]
    assert "waiting inference.bulk         1" in table.stdout
    assert "no worker answers" in table.stderr
