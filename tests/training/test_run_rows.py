"""Rows of runs that no worker has in hand: waiting, killed, cancelled, given up unseen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobsentinel import Producer, Settings
from jobsentinel.handles import JobHandle
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.jobs.reconciler import Reconciler
from jobsentinel_workers.jobs.run_rows import RunRows
from jobsentinel_workers.store import Database, runs

Claim = Callable[[], JobContext]
Job = JobHandle[object]


@pytest.fixture
def rows(settings: Settings, producer: Producer, database: Database) -> RunRows:
    """As the reconciler has them."""
    return RunRows(producer.ledger, database, AuditLog(settings))


def state(database: Database, job: Job) -> str | None:
    with database.connect() as connection:
        run = runs.get(connection, job.job_id)
    return None if run is None else run.state


def begin(database: Database, job: Job, context: JobContext) -> None:
    """Note what a worker notes when it has claimed a run."""
    with database.begin() as connection:
        runs.create(connection, job.job_id, "fine_tune")
        runs.reopen(connection, job.job_id, fencing_token=context.claim.token)


def test_a_run_that_waits_is_entered_once_and_other_jobs_are_not(
    rows: RunRows, producer: Producer, database: Database, job: Job
) -> None:
    other = producer.add_labels([{"posting_id": "p", "kind": "scam", "value": True}])

    rows.follow()
    rows.follow()

    assert (state(database, job), state(database, other)) == ("queued", None)


def test_a_run_whose_worker_is_gone_waits_again(
    rows: RunRows, producer: Producer, database: Database, job: Job, claim: Claim
) -> None:
    context = claim()
    begin(database, job, context)
    rows.follow()
    assert state(database, job) == "running"

    producer.ledger.release(job.job_id, context.claim.token)
    rows.follow()

    assert state(database, job) == "queued"


def test_a_run_that_is_cancelled_while_it_waits_is_cancelled_in_its_row(
    rows: RunRows, database: Database, job: Job
) -> None:
    rows.follow()

    job.cancel()
    rows.follow()

    assert state(database, job) == "cancelled"


def test_a_run_that_failed_before_any_worker_began_it_has_a_row_with_its_error(
    settings: Settings, producer: Producer, database: Database, job: Job, claim: Claim
) -> None:
    token = claim().claim.token
    producer.ledger.fail(job.job_id, token, reason="invalid", error="name: is built in")

    Reconciler(settings, producer.ledger, database, "test").turn()

    with database.connect() as connection:
        run = runs.get(connection, job.job_id)
    assert run is not None
    assert (run.state, run.error) == ("failed", "name: is built in")


def test_a_run_that_the_ledger_does_not_know_is_left_alone(
    rows: RunRows, database: Database
) -> None:
    with database.begin() as connection:
        runs.create(connection, "elsewhere", "fine_tune")
        runs.progress(connection, "elsewhere", state="running")

    rows.follow()

    with database.connect() as connection:
        run = runs.get(connection, "elsewhere")
    assert run is not None
    assert run.state == "running"
