"""A real training worker is killed three times in one run: the run ends as if nothing had been.

It takes most of a minute, since each worker that follows is a real one and waits for the lease of
the one before.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from jobsentinel import Producer, Settings
from jobsentinel.contract.tasks import TRAINING
from jobsentinel.handles import JobHandle
from jobsentinel_workers.store import Database, run_losses, runs
from tests.training.real_worker import real_worker

KILLS = 3
ROWS = [
    {"text": f"{word} number {n}", "label": word} for word in ("cook", "nurse") for n in range(150)
]
"""About 800 steps of one row, with a checkpoint every 200."""


def train(producer: Producer) -> JobHandle[Any]:
    return producer.fine_tune(
        *("mine", ROWS),
        task="classification",
        method="full",
        epochs=4,
        batch_size=1,
        learning_rate=1e-4,
        seed=7,
    )


def checkpoints(settings: Settings, job: JobHandle[Any]) -> set[Path]:
    return set((settings.data_dir / "runs" / job.job_id).rglob("step-*"))


def wait_for_a_new_checkpoint(settings: Settings, job: JobHandle[Any]) -> None:
    before = checkpoints(settings, job)
    while not checkpoints(settings, job) - before:
        assert job.state() in {"queued", "running"}, "the run was over before it could be killed"
        time.sleep(0.02)


def outcome(settings: Settings, job: JobHandle[Any]) -> tuple[runs.Run, dict[int, float]]:
    database = Database.open(settings.store_url)
    with database.connect() as connection:
        run = runs.get(connection, job.job_id)
        curve = dict(run_losses.curve(connection, job.job_id))
    database.close()
    assert run is not None
    return run, curve


@pytest.mark.timeout(300)
def test_a_run_that_is_killed_three_times_has_the_curve_of_one_that_was_not(
    settings: Settings, tiny_encoder_path: Path, tmp_path: Path
) -> None:
    changes = {"encoder_path": tiny_encoder_path, "lease_s": 2.0}
    killed = settings.model_copy(update=changes)
    whole = killed.model_copy(update={"namespace": "whole", "data_dir": tmp_path / "whole"})

    # Given a run that nobody disturbs
    with Producer(settings=whole) as producer, real_worker(whole, TRAINING):
        undisturbed = train(producer)
        undisturbed.result(timeout_s=120)
    expected, expected_curve = outcome(whole, undisturbed)

    # When the same is killed three times on its way, a little after a checkpoint
    with Producer(settings=killed) as producer:
        job = train(producer)
        for kill in range(KILLS):
            with real_worker(killed, TRAINING) as worker:
                wait_for_a_new_checkpoint(killed, job)
                time.sleep(0.1 * kill)
                os.killpg(worker.pid, signal.SIGKILL)
        with real_worker(killed, TRAINING):
            result = job.result(timeout_s=120)

    # Then it ends at the same step with the same losses on its way, and none is missing
    run, curve = outcome(killed, job)
    assert (run.state, run.step, run.total_steps) == ("done", expected.step, expected.total_steps)
    assert curve.keys() == expected_curve.keys()
    assert curve == pytest.approx(expected_curve, rel=1e-4, abs=1e-6)
    assert len(curve) >= 100
    assert result.metrics == pytest.approx(expected.metrics, rel=1e-4, abs=1e-6)
