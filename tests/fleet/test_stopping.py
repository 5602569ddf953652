"""SIGTERM, sent to real workers at work: nothing is lost, and little is done twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from worker_processes import StartWorker

from jobsentinel import JobCancelled, Producer, Settings
from jobsentinel.contract.tasks import BULK, TRAINING
from jobsentinel.handles import JobHandle
from jobsentinel_workers.store import Database, runs
from jobsentinel_workers.store import results as stored_results

DUTIES = "Plan shifts, keep stock, train new colleagues and answer customers' letters. " * 3
JOBS = 6


def wait_until(holds: Callable[[], object], what: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def attempts(producer: Producer, job_id: str) -> int:
    raw = producer.ledger._field(job_id, "attempts")
    assert raw is not None
    return int(raw)


@pytest.mark.timeout(300)
def test_inference_finishes_what_it_can_and_gives_the_rest_back(
    settings: Settings, producer: Producer, start_worker: StartWorker
) -> None:
    hasty = settings.model_copy(update={"shutdown_grace_s": 1.0})
    worker = start_worker(hasty, BULK)
    postings = [
        {"id": f"p{n}", "title": f"Shop manager {n}", "description": f"{n} {DUTIES}"}
        for n in range(JOBS * 32)
    ]
    stream = producer.score(postings, chunk_size=32)
    wait_until(lambda: producer.depths()["running"], "a job runs")

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=30) == 0
    states = [job.state() for job in stream.jobs]
    assert set(states) <= {"done", "queued"}
    assert "queued" in states
    given_back = [job for job in stream.jobs if job.state() == "queued"]
    assert {attempts(producer, job.job_id) for job in given_back} == {0}
    assert producer.depths()["running"] == 0
    start_worker(settings, BULK)
    assert len(stream.result(timeout_s=180)) == JOBS * 32
    database = Database.open(settings.store_url)
    with database.connect() as connection:
        assert stored_results.count(connection, task="score") == JOBS * 32
    database.close()


def step_of(job: JobHandle[object]) -> int:
    report = job.progress() or {}
    return int(report.get("step") or 0) if report.get("phase") == "training" else 0


def two_kinds_of_rows() -> list[dict[str, str]]:
    return [
        {"text": f"{word} {n} {DUTIES}", "label": word}
        for word in ("cook", "nurse")
        for n in range(300)
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("whom", ["parent", "group"])
def test_training_checkpoints_and_the_next_worker_goes_on_at_that_step(
    settings: Settings,
    producer: Producer,
    start_worker: StartWorker,
    tiny_encoder_path: Path,
    whom: str,
) -> None:
    settings = settings.model_copy(update={"encoder_path": tiny_encoder_path})
    worker = start_worker(settings, TRAINING)
    job = producer.fine_tune("steady", two_kinds_of_rows(), method="full", epochs=5, batch_size=2)
    wait_until(lambda: step_of(job) >= 3, "the run is at step 3")

    if whom == "parent":
        worker.send_signal(signal.SIGTERM)
    else:
        os.killpg(worker.pid, signal.SIGTERM)  # as a service manager does

    assert worker.wait(timeout=60) == 0
    stopped_at = step_of(job)
    assert (job.state(), attempts(producer, job.job_id)) == ("queued", 0)
    database = Database.open(settings.store_url)
    with database.connect() as connection:
        run = runs.get(connection, job.job_id)
    assert run is not None
    assert run.state == "queued"
    steps = sorted((settings.data_dir / "runs" / job.job_id).rglob("step-*"))
    assert steps, list((settings.data_dir / "runs" / job.job_id).rglob("*"))
    resumed_from = int(steps[-1].name.partition("-")[2])
    assert resumed_from >= stopped_at
    seen: list[int] = []
    start_worker(settings, TRAINING)
    wait_until(lambda: job.state() == "running" or job.state() == "done", "it is taken up")
    while job.state() == "running":
        seen.append(step_of(job))
        time.sleep(0.05)
    trained = job.result(timeout_s=120)
    assert trained.version == 1
    assert all(step >= stopped_at for step in seen if step)  # it never began anew
    database.close()


@pytest.mark.timeout(300)
def test_a_training_run_that_is_cancelled_stops_at_its_step_and_leaves_nothing(
    settings: Settings, producer: Producer, start_worker: StartWorker, tiny_encoder_path: Path
) -> None:
    settings = settings.model_copy(update={"encoder_path": tiny_encoder_path})
    start_worker(settings, TRAINING)
    job = producer.fine_tune("unwanted", two_kinds_of_rows(), method="full", batch_size=2)
    wait_until(lambda: step_of(job) >= 3, "the run is at step 3")

    assert job.cancel() == "running"

    with pytest.raises(JobCancelled):
        job.result(timeout_s=60)
    database = Database.open(settings.store_url)
    with database.connect() as connection:
        run = runs.get(connection, job.job_id)
    database.close()
    assert run is not None
    assert run.state == "cancelled"
    assert not (settings.data_dir / "runs" / job.job_id).exists()
    assert not (settings.models_dir / "unwanted").exists()
