"""A dataset's way through a real queue and real workers, by the command and by the producer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dataset_stores import CLASSES, NUMBERS, digest_of_rows, lines

from jobsentinel import InvalidInput, Producer, ResultTimeout, Settings
from jobsentinel.cli.program import program
from jobsentinel_workers.datasets import load
from jobsentinel_workers.fleet import Fleet
from jobsentinel_workers.store import Database, datasets

Run = Callable[..., Result]
MANY = [{"text": f"Nurse {n}, nights", "label": str(n % 5)} for n in range(300)]


def runner(redis_url: str, namespace: str, data_dir: Path) -> Run:
    """Return what runs the command in this process for one fleet."""
    environment = {
        "JOBSENTINEL_REDIS_URL": redis_url,
        "JOBSENTINEL_NAMESPACE": namespace,
        "JOBSENTINEL_DATA_DIR": str(data_dir),
        "COLUMNS": "90",
    }

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(program, [str(each) for each in arguments], env=environment)

    return run


@pytest.fixture
def run(fleet: Fleet) -> Run:
    """Runs the command for the fleet."""
    return runner(fleet.redis_url, fleet.settings.namespace, fleet.settings.data_dir)


@pytest.fixture
def run_alone(settings: Settings) -> Run:
    """Runs the command for a data folder of the test's own, which has no workers."""
    assert settings.redis_url is not None
    return runner(settings.redis_url, settings.namespace, settings.data_dir)


def test_a_dataset_goes_through_a_real_queue_once(client: Producer, fleet: Fleet) -> None:
    # Given rows in many chunks
    told: list[int] = []

    # When they are sent, and sent again
    receipt = client.send_dataset(
        iter(MANY), name="nurses", chunk_rows=20, on_progress=lambda stored, _: told.append(stored)
    )
    again = client.send_dataset(MANY, name="others", chunk_rows=7, timeout_s=60)

    # Then they are in the store once, in their order, under the first name
    with Database.open(fleet.settings.store_url).connect() as connection:
        stored = load(connection, receipt.sha256)
    assert list(stored.rows) == MANY
    assert (receipt.rows, receipt.sent_rows, receipt.name) == (300, 300, "nurses")
    assert (again.sha256, again.sent_rows, again.name) == (receipt.sha256, 0, "nurses")
    assert told == sorted(told)
    assert told[-1] == 300


def test_a_dataset_that_was_deleted_can_be_sent_again(client: Producer, fleet: Fleet) -> None:
    # Given a dataset that was stored and deleted: the ledger knows its jobs as done
    rows = [{**row, "text": f"deleted {row['text']}"} for row in CLASSES]
    sha256 = client.send_dataset(rows, timeout_s=60).sha256
    with Database.open(fleet.settings.store_url).begin() as connection:
        datasets.delete_dataset(connection, sha256)

    # When it is sent again; then it is stored again
    assert client.send_dataset(rows, timeout_s=60).sent_rows == len(rows)


def test_a_bad_row_sends_nothing(producer: Producer) -> None:
    with pytest.raises(InvalidInput, match=r"rows\.20\.label"):
        producer.send_dataset([*CLASSES, {"text": "x", "label": None}])

    assert sum(producer.depths().values()) == 0


def test_without_workers_the_time_given_is_kept(producer: Producer) -> None:
    with pytest.raises(ResultTimeout):
        producer.send_dataset(CLASSES, timeout_s=0.2)


def test_the_command_sends_lists_shows_and_deletes(run: Run, tmp_path: Path) -> None:
    # Given a file
    file = tmp_path / "salaries.jsonl"
    rows = [{**row, "text": f"by command {row['text']}"} for row in NUMBERS]
    file.write_text(lines(rows))
    sha256 = digest_of_rows(rows, "regression")

    # When it is sent twice
    options = ("--task", "regression", "--name", "salaries")
    sent = run("datasets", "send", file, *options)
    again = run("datasets", "send", file, *options, "--json")

    # Then it is stored once, and each command finds it
    assert sent.exit_code == again.exit_code == 0, sent.output
    assert sha256 in sent.stdout
    assert "10 rows sent" in sent.stderr
    assert json.loads(again.stdout)["sent_rows"] == 0
    assert "it is stored already as 'salaries'; nothing was sent" in again.stderr
    (line,) = [each for each in run("datasets", "list").stdout.splitlines() if "salaries" in each]
    assert line.split()[:5] == [sha256[:12], "regression", "10", "salaries", "complete"]
    shown = run("datasets", "show", sha256[:10])
    assert [line.split() for line in shown.stdout.splitlines() if line.startswith("faults")] == [
        ["faults", "none"]
    ]
    assert "highest" in shown.stdout
    deleted = run("datasets", "delete", sha256[:10])
    assert f"deleted {sha256} with 10 rows" in deleted.stderr
    assert run("datasets", "show", sha256[:10]).exit_code == 2


def test_classes_are_counted_and_faults_are_shown(run_alone: Run, settings: Settings) -> None:
    # Given an upload of which rows are missing
    database = Database.open(settings.store_url)
    with database.begin() as connection:
        sha256 = digest_of_rows(CLASSES)
        datasets.open_upload(connection, sha256, "classification", len(CLASSES))
        datasets.put_rows(connection, sha256, 0, CLASSES[:5])

    # When it is shown; then it says so
    shown: dict[str, Any] = json.loads(run_alone("datasets", "show", sha256, "--json").stdout)
    assert "5 of 20 rows are there" in shown["faults"]
    assert "not complete" in run_alone("datasets", "list").stdout

    # When it is completed; then its classes are counted
    with database.begin() as connection:
        datasets.put_rows(connection, sha256, 5, CLASSES[5:])
        datasets.seal(connection, sha256, {"classes": {"yes": 13, "no": 7}})
    database.close()
    printed = run_alone("datasets", "show", sha256).stdout.split()
    assert printed[printed.index("classes") :] == ["classes", "2", "yes", "13", "no", "7"]


def test_a_bad_file_ends_with_its_line(run_alone: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("text,label\na,b\nc\n")

    result = run_alone("datasets", "send", file, "--task", "classification")

    assert result.exit_code == 2
    assert "bad.csv:3: line: has 1 cells, and the header 2" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["list", "show 0000", "delete 0000"])
def test_a_folder_without_a_store_is_named(
    run_alone: Run, settings: Settings, command: str
) -> None:
    result = run_alone("datasets", *command.split())

    assert result.exit_code == 1
    assert "there is no store at" in result.stderr
    assert not settings.data_dir.exists()
