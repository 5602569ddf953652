"""`jobsentinel replay` with a small random encoder as the base."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jobsentinel import Settings
from jobsentinel.cli.exit_codes import ExitCode
from jobsentinel.cli.program import Program
from jobsentinel.cli.session import Session
from jobsentinel_workers.cli.replay import command
from jobsentinel_workers.cli.replayed_texts import CACHE_FOLDER
from jobsentinel_workers.replay.kept_curves import CURVES_FILE

Run = Callable[..., Result]
WriteLines = Callable[..., Path]

JOBS = {"health": ["nurse", "surgeon", "midwife"], "kitchen": ["cook", "baker", "pastry chef"]}
TOWNS = ["Oslo", "Lima", "Kyoto", "Dakar", "Quito", "Turin", "Cork", "Pune", "Graz", "Lyon"]
QUICK = ("--seeds", 2, "--start", 6, "--batch", 6, "--budget", 18, "--strategies", "margin")


def rows() -> list[dict[str, str]]:
    """Return sixty postings, no two of them alike."""
    return [
        {"text": f"{job} wanted at once in {town}, {job} nights {town}", "label": label}
        for label, jobs in JOBS.items()
        for job in jobs
        for town in TOWNS
    ]


@pytest.fixture
def replayed(settings: Settings, tiny_encoder_path: Path, tmp_path: Path) -> Run:
    """Run `replay` with arguments in this process; the reports go to ``out``."""
    program = Program("jobsentinel", commands={"replay": command})
    program.get_command = lambda ctx, name: command  # type: ignore[method-assign]  # this one alone
    environment = {
        "JOBSENTINEL_ENCODER_PATH": str(tiny_encoder_path),
        "JOBSENTINEL_PRECISION": "fp32",
        "COLUMNS": "80",
    }

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(
            program,
            ["replay", "--out", str(tmp_path / "out"), *map(str, arguments)],
            env=environment,
            obj=Session(data_dir=settings.data_dir),
        )

    return run


def test_a_file_becomes_a_table_and_a_report_and_a_second_run_computes_nothing(
    replayed: Run, write_lines: WriteLines, tmp_path: Path, settings: Settings
) -> None:
    file = write_lines(*rows())

    first = replayed("--labels", file, *QUICK)
    second = replayed("--labels", file, *QUICK)

    assert first.exit_code == 0, first.output
    assert "60 labelled texts in 2 classes" in first.stdout
    assert any(line.startswith("margin ") for line in first.stdout.splitlines())
    assert (tmp_path / "out" / "report.html").is_file()
    assert f"report: {tmp_path / 'out' / 'report.html'}" in first.stderr
    assert len(list((settings.data_dir / CACHE_FOLDER).iterdir())) == 1
    assert second.stdout == first.stdout
    assert "4 of 4 curves are there already" in second.stderr


def test_json_says_the_same_on_one_line(replayed: Run, write_lines: WriteLines) -> None:
    result = replayed("--labels", write_lines(*rows()), *QUICK, "--positive", "health", "--json")

    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert found["classes"] == ["kitchen", "health"]
    assert found["label_counts"] == [6, 12, 18]
    assert list(found["measures"]) == ["pr_auc", "f1"]
    assert [each["strategy"] for each in found["measures"]["f1"]] == ["random", "margin"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--strategies", "margin,none"), "strategy: must be one of"),
        (("--strategies", "margin,"), "strategies: must be names with commas between"),
        (("--strategies", "igs"), "igs chooses for values"),
        (("--budget", 20), "budget: must be 40 or more"),
        (("--positive", "nobody"), "positive: must be one of two classes"),
        (("--base-rate", 0.1), "base_rate: is for yes-or-no labels"),
        (("--start", 30, "--batch", 20), "start and batch need 50"),
        (("--seeds", 1), "one seed shows no spread"),
        (("--model", "reranker"), "model: is 'reranker', which reads pairs"),
    ],
)
def test_what_cannot_work_is_told_in_a_line(
    replayed: Run, write_lines: WriteLines, arguments: tuple[object, ...], told: str
) -> None:
    result = replayed("--labels", write_lines(*rows()), *arguments)

    assert result.exit_code == ExitCode.BAD_INPUT
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_bad_line_and_one_class_are_told(replayed: Run, write_lines: WriteLines) -> None:
    broken = replayed("--labels", write_lines(rows()[0], {"text": "x"}))
    alike = replayed("--labels", write_lines(*rows()[:30]))

    assert (broken.exit_code, alike.exit_code) == (ExitCode.BAD_INPUT, ExitCode.BAD_INPUT)
    assert "rows.jsonl:2: label: is missing" in broken.stderr
    assert "one class only, 'health'" in alike.stderr


def test_labels_come_from_a_file_or_from_the_store(replayed: Run, write_lines: WriteLines) -> None:
    neither = replayed()
    both = replayed("--labels", write_lines(*rows()), "--kind", "category")
    no_store = replayed("--kind", "category")

    assert neither.exit_code == both.exit_code == ExitCode.BAD_INPUT
    assert "give either --labels or --kind" in neither.stderr
    assert no_store.exit_code == ExitCode.FAILED
    assert "there is no store" in no_store.stderr


def test_a_folder_of_another_replay_is_left_alone(replayed: Run, write_lines: WriteLines) -> None:
    file = write_lines(*rows())
    assert replayed("--labels", file, *QUICK).exit_code == 0

    result = replayed("--labels", file, *QUICK, "--batch", 5)

    assert result.exit_code == ExitCode.BAD_INPUT
    assert "holds curves of other labels, settings or another model" in result.stderr


def test_ctrl_c_says_what_is_kept(replayed: Run, write_lines: WriteLines, tmp_path: Path) -> None:
    file = write_lines(*rows())
    kept = tmp_path / "out" / CURVES_FILE
    is_over = threading.Event()

    def interrupt_after_three_curves() -> None:
        while not is_over.wait(0.01):
            if kept.exists() and len(kept.read_bytes().splitlines()) > 3:
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=interrupt_after_three_curves)
    watcher.start()
    try:
        result = replayed("--labels", file, *QUICK, "--seeds", 1_000)
    finally:
        is_over.set()
        watcher.join()

    done = len(kept.read_text().splitlines()) - 1
    assert 3 <= done < 2_000
    assert result.exit_code == ExitCode.INTERRUPTED
    assert f"{done:,} of 2,000 curves are kept in {kept}" in result.stderr
    assert "the same command goes on with the others" in result.stderr
