"""Keeps the rows of training runs true where no worker can: before, between and after attempts.

A worker writes the row of the run that it works on. It cannot write that a run waits for a worker,
that its own process was killed, or that a run was cancelled while nobody worked on it; the
reconciler does, from the ledger.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from jobsentinel.contract.tasks import TASKS, TRAINING
from jobsentinel.ledger import DeadJob, Ledger, digest_of
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.store import Database, runs

TRAINING_TASKS: Final = tuple(task.name for task in TASKS.values() if task.queue == TRAINING)
MOST_RUNS: Final = 200
"""Open runs that are looked at in one turn."""


class RunRows:
    """Follows the ledger; only the reconciler that leads calls it."""

    def __init__(self, ledger: Ledger, database: Database, audit: AuditLog) -> None:
        self._ledger = ledger
        self._database = database
        self._audit = audit

    def follow(self) -> None:
        """Enter the runs that wait, and move those that stopped without a word of their worker."""
        waiting = self._ledger.waiting(TRAINING_TASKS)[:MOST_RUNS]
        with self._database.connect() as connection:
            new = [run_id for run_id in waiting if runs.get(connection, run_id) is None]
            found = runs.find(connection, state=runs.OPEN_STATES, limit=MOST_RUNS)
        self._enter(new)
        states = self._ledger.states([run.run_id for run in found])
        for run, state in zip(found, states, strict=True):
            if _is_behind(run, state):
                self._settle(run.run_id)

    def _enter(self, run_ids: list[str]) -> None:
        for run_id in run_ids:
            task = self._ledger.entry(run_id).task
            if task in TRAINING_TASKS:
                with self._database.begin() as connection:
                    runs.create(connection, run_id, task)

    def _settle(self, run_id: str) -> None:
        with self._database.begin() as connection:
            run = runs.get(connection, run_id)
            # Asked inside the writer's turn: a worker claims before it writes that a run is
            # running, so what it has written is never taken back here.
            state = self._ledger.state(run_id)
            if run is None or not _is_behind(run, state):
                return
            if state == "queued":
                runs.progress(connection, run_id, state="queued")
                return
            runs.finish(connection, run_id, "cancelled")
            about = {"task": run.task, "model": run.config.get("name"), "request_sha256": None}
            self._audit.record(connection, "run_cancelled", run_id, about)

    def give_up(self, connection: Connection, job: DeadJob) -> None:
        """Note that a run failed, also one that no worker ever began."""
        if job.task not in TRAINING_TASKS:
            return
        runs.create(connection, job.job_id, job.task)
        run = runs.get(connection, job.job_id)
        if run is not None and run.finished_at is None:
            runs.finish(connection, job.job_id, "failed", error=job.error)
            self._audit.record(connection, "run_failed", job.job_id, _about(job, run))


def _is_behind(run: runs.Run, state: str) -> bool:
    """Whether the ledger says of an open run what its row does not."""
    if run.state not in runs.OPEN_STATES:
        return False
    return state == "cancelled" or (state == "queued" and run.state != "queued")


def _about(job: DeadJob, run: runs.Run) -> dict[str, Any]:
    """Return what the audit log says of a failed run: not its error, which may quote texts."""
    return {
        "task": job.task,
        "model": run.config.get("name"),
        "reason": job.reason,
        "attempts": job.attempts,
        "request_sha256": digest_of(job.payload) if job.payload else None,
    }
