"""runs watch: a run followed to its end, and the loss curve it leaves."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import msgpack
import pytest
from click.testing import Result
from rich.console import Console

from jobsentinel import Producer, Settings
from jobsentinel.handles import JobHandle
from jobsentinel.ledger import Claim
from jobsentinel_workers.cli.runs_look import Watcher
from jobsentinel_workers.cli.runs_plot import draw
from jobsentinel_workers.cli.runs_view import live, plot
from jobsentinel_workers.store import Database, run_losses, runs
from jobsentinel_workers.store.run_losses import LossPoint

Run = Callable[..., Result]
Watching = Callable[..., AbstractContextManager[subprocess.Popen[str]]]
COMMAND = (sys.executable, "-c", "from jobsentinel.cli import main; raise SystemExit(main())")
ROWS = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(8)]
REPORT = "mine@2 beside mine@1, 2026-11-23: promoted\n"
FALLING = [LossPoint(step, 1.0 / step) for step in range(1, 11)]


@pytest.fixture
def watching(settings: Settings) -> Watching:
    """Watch in a process of its own, since what happens meanwhile is up to the test."""
    values = {"REDIS_URL": settings.redis_url, "NAMESPACE": settings.namespace}
    values["DATA_DIR"] = str(settings.data_dir)
    environment = {f"JOBSENTINEL_{name}": str(value) for name, value in values.items()}

    @contextmanager
    def watch(*arguments: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [*COMMAND, "runs", "watch", *arguments],
            env={**os.environ, **environment, "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    return watch


@pytest.fixture
def job(producer: Producer) -> JobHandle[Any]:
    """A training job that waits."""
    return producer.fine_tune("mine", ROWS, task="classification")


@pytest.fixture
def at_work(database: Database, producer: Producer, job: JobHandle[Any]) -> TrainingByHand:
    """The same, taken up and half way through."""
    return TrainingByHand(database, producer, job)


class TrainingByHand:
    """Does to the ledger and the store what a training worker does."""

    def __init__(self, database: Database, producer: Producer, job: JobHandle[Any]) -> None:
        self._database, self._ledger, self.job_id = database, producer.ledger, job.job_id
        claim = self._ledger.claim(job.job_id, owner="test", lease_s=60, max_attempts=3)
        assert isinstance(claim, Claim)
        self.token = claim.token
        with database.begin() as connection:
            runs.create(connection, job.job_id, "fine_tune", config={"name": "mine"})
            runs.reopen(connection, job.job_id, fencing_token=claim.token)
            runs.progress(connection, job.job_id, step=10, total_steps=20, loss=0.1)
            run_losses.add(connection, job.job_id, FALLING)
        self.report(phase="training", fraction=0.5, eta_s=100.0, state="running")

    def report(self, **report: Any) -> None:
        assert self._ledger.report_progress(self.job_id, self.token, report)

    def succeed(self) -> None:
        with self._database.begin() as connection:
            runs.finish(connection, self.job_id, "done", model_name="mine", model_version=2)
        answer = msgpack.packb({"report": REPORT})
        assert self._ledger.complete(self.job_id, self.token, ttl_s=60, result=answer)

    def fail(self, error: str) -> None:
        assert self._ledger.fail(self.job_id, self.token, reason="invalid", error=error)


def test_a_run_is_followed_to_its_end_with_its_curve_and_what_the_gate_said(
    watching: Watching, at_work: TrainingByHand
) -> None:
    # Given a run that is watched without its name, it being the only one
    with watching() as process:
        assert process.stderr is not None
        told = process.stderr.readline()

        # When it ends
        at_work.succeed()
        output, _ = process.communicate(timeout=60)

    # Then what happened is told, and at last the curve, the model and the verdict
    assert process.returncode == 0
    assert "training 50%, step 10/20, loss 0.1000, 2 min left" in told
    lines = output.splitlines()
    assert lines[0].strip() == "loss"
    assert lines[1].split()[0] == "1"
    assert f"{at_work.job_id} done, step 10/20, loss 0.1000: mine version 2" in lines
    assert output.endswith(f"\n{REPORT}")
    assert max(map(len, lines)) <= 80


def test_json_has_a_line_for_each_change_and_nothing_else(
    watching: Watching, at_work: TrainingByHand
) -> None:
    with watching(at_work.job_id, "--json") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        at_work.succeed()
        output, errors = process.communicate(timeout=60)

    told = [json.loads(line) for line in (first, *output.splitlines())]
    assert [(each["state"], each["version"]) for each in told] == [("running", None), ("done", 2)]
    assert (told[0]["step"], told[0]["total_steps"], told[0]["fraction"]) == (10, 20, 0.5)
    assert errors == ""


def test_a_run_that_failed_ends_with_its_error_before_its_row_has_it(
    run: Run, at_work: TrainingByHand
) -> None:
    at_work.fail("rows: teach nothing")

    result = run("runs", "watch", at_work.job_id)

    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "rows: teach nothing" in result.stdout


def test_a_run_that_no_worker_has_seen_can_be_watched(
    watching: Watching, database: Database, job: JobHandle[Any]
) -> None:
    with watching() as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        job.cancel()
        output, _ = process.communicate(timeout=60)

    assert told.rstrip() == f"{job.job_id}: queued"
    assert f"{job.job_id} cancelled" in output
    assert process.returncode == 1


def test_without_an_active_run_it_says_so(run: Run, database: Database) -> None:
    result = run("runs", "watch")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "no run is active" in result.stderr


@pytest.mark.parametrize("name", ["nobody", "score"])
def test_what_is_no_run_is_named(
    run: Run, database: Database, producer: Producer, name: str
) -> None:
    score = producer.score([{"id": "a", "title": "Nurse"}])
    job_id = score.jobs[0].job_id if name == "score" else name

    result = run("runs", "watch", job_id)

    assert result.exit_code == 2
    assert f"there is no run '{job_id}'" in result.stderr


def test_a_run_that_is_over_can_be_seen_without_redis(run: Run, at_work: TrainingByHand) -> None:
    at_work.succeed()

    result = run("--redis-url", "redis://127.0.0.1:1/0", "runs", "watch", at_work.job_id)

    assert result.exit_code == 0
    assert "mine version 2" in result.stdout


def test_the_one_at_work_is_watched_before_one_that_waits(
    database: Database, producer: Producer, at_work: TrainingByHand
) -> None:
    waiting = producer.fine_tune("later", ROWS, task="classification")
    watcher = Watcher(database, producer.ledger)

    assert watcher.newest_active() == at_work.job_id
    at_work.succeed()
    assert watcher.newest_active() == waiting.job_id
    waiting.cancel()
    assert watcher.newest_active() is None


def test_show_has_the_curve_for_people_and_for_programs(run: Run, at_work: TrainingByHand) -> None:
    shown = run("runs", "show", at_work.job_id).stdout
    row = json.loads(run("runs", "show", at_work.job_id, "--json").stdout)

    assert "│" in shown
    assert row["curve"] == [point._asdict() for point in FALLING]


def test_a_terminal_gets_bar_and_curve_and_a_low_one_the_bar_alone(
    database: Database, producer: Producer, at_work: TrainingByHand
) -> None:
    look = Watcher(database, producer.ledger).look(at_work.job_id)

    tall, low = (shown_on(look, height) for height in (24, 6))

    assert "fine_tune mine" in tall
    assert "training 50%, step 10/20" in tall
    assert "│" in tall
    assert "│" not in low
    assert len(low.splitlines()) == 2


def shown_on(look: Any, height: int) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=80, height=height, force_terminal=True, color_system=None)
    console.print(live(look, console))
    return screen.getvalue()


def test_a_falling_loss_falls_in_the_plot_and_leaves_room_for_what_is_to_come() -> None:
    rows = draw([(1, 1.0), (5, 0.5), (10, 0.0)], 20, 4, last_x=19)

    assert len(rows) == 4
    assert [len(row) for row in rows] == sorted(len(row) for row in rows)
    assert max(map(len, rows)) in {10, 11}


def test_a_plot_in_plain_characters_has_a_mark_in_each_column() -> None:
    rows = draw([(1, 1.0), (10, 0.0)], 12, 3, last_x=10, braille=False)

    assert set("".join(rows)) == {" ", "*"}
    assert all(any(row[at : at + 1] == "*" for row in rows) for at in range(12))


def test_a_loss_that_stays_the_same_is_a_level_line() -> None:
    rows = draw([(1, 0.5), (10, 0.5)], 10, 4, last_x=10)

    assert [bool(row) for row in rows].count(True) == 1


def test_one_point_is_no_curve() -> None:
    assert plot(FALLING[:1], Console()) == []
