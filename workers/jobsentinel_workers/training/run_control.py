"""A training run's row in the store and folder on disk, and how it hears that it must stop."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.errors import GivenBack, JobCancelled
from jobsentinel.settings import Settings
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.jobs.stopping import StopSignal
from jobsentinel_workers.store import Database, runs

Report = Mapping[str, Any]


class TrainingRun:
    """One run, by its job's id: a second attempt goes on where the first one's checkpoints end."""

    def __init__(self, settings: Settings, database: Database, context: JobContext) -> None:
        self._database = database
        self._context = context
        self.audit = AuditLog(settings)
        self.run_id = context.job_id
        self.folder: Path = settings.data_dir / "runs" / self.run_id

    @contextmanager
    def open(self, task: str, request: Message) -> Iterator[TrainingRun]:
        """Enter the run into the store, and note there if it is cancelled.

        Raises:
            LeaseLost, JobCancelled, JobExpired, GivenBack: when the run stops because of it.
        """
        config = {name: value for name, value in dump(request).items() if name != "rows"}
        self.folder.mkdir(parents=True, exist_ok=True)
        claim = self._context.claim
        token = claim.token
        about = {"task": task, "model": config.get("name"), "request_sha256": claim.digest}
        with self._database.begin() as connection:
            runs.create(connection, self.run_id, task, config=config)
            runs.reopen(connection, self.run_id, fencing_token=token)
            started = {**about, "attempt": claim.attempt}
            self.audit.record(connection, "run_started", self.run_id, started)
        try:
            with sigterm_stops(self._context.stop):
                yield self
        except JobCancelled:
            with self._database.begin() as connection:
                runs.finish(connection, self.run_id, "cancelled", fencing_token=token)
                self.audit.record(connection, "run_cancelled", self.run_id, about)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        except GivenBack:
            with self._database.begin() as connection:
                runs.progress(connection, self.run_id, state="queued", fencing_token=token)
            raise

    def should_stop(self) -> bool:
        """Whether the trainer should checkpoint and stop; `stopped` then says why."""
        return self._context.should_stop()

    def stopped(self) -> None:
        """Raise the reason why `should_stop` said so."""
        self._context.check()

    def reporter(self, to_report: Callable[[Any], Report]) -> Callable[[Any], None]:
        """Return a trainer's progress callback: to the ledger, and the same into the store."""

        def on_progress(progress: Any) -> None:
            report = dict(to_report(progress))
            if self._context.report(report):
                self._keep(report)

        return on_progress

    def _keep(self, report: Report) -> None:
        with self._database.begin() as connection:
            runs.progress(
                connection,
                self.run_id,
                step=report.get("step"),
                total_steps=report.get("total_steps"),
                loss=report.get("loss"),
                fencing_token=self._context.claim.token,
            )


@contextmanager
def sigterm_stops(stop: StopSignal) -> Iterator[None]:
    """Let SIGTERM give the job back at its next step, instead of breaking it off.

    The worker's parent sends it to its child when it is told to stop, and so does a service
    manager that stops a whole group of processes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only a main thread hears signals; elsewhere whoever runs the job gives the signal
        return

    def on_sigterm(*_: object) -> None:
        stop.begin(0.0)

    before = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
