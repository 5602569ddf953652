"""A training run's row in the store and folder on disk, and how it hears that it must stop.

What is told of a run is never worth the run: while Redis or the store is away, it goes on and
tells later. Points of its loss curve are stored at once, before a checkpoint can go beyond them,
so that a run that is killed and goes on has the curve of one that was never killed.
"""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.errors import (
    GivenBack,
    JobCancelled,
    JobExpired,
    LeaseLost,
    QueueUnavailable,
    StoreUnavailable,
)
from jobsentinel.settings import Settings
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.jobs.lifecycle import NEVER_WORKS
from jobsentinel_workers.jobs.stopping import StopSignal
from jobsentinel_workers.registry.durable_files import replace_file
from jobsentinel_workers.store import Database, run_losses, runs
from jobsentinel_workers.store.run_losses import LossPoint
from jobsentinel_workers.training.progress_reports import (
    TRAINING,
    CurvePoints,
    ProgressReports,
    Report,
)

logger = logging.getLogger(__name__)

_FURTHEST_FILE = "furthest_step"


class TrainingRun:
    """One run, by its job's id: a second attempt goes on where the first one's checkpoints end."""

    def __init__(self, settings: Settings, database: Database, context: JobContext) -> None:
        self._database = database
        self._context = context
        self._max_attempts = settings.max_attempts
        self._attempt = context.claim.attempt
        self.audit = AuditLog(settings)
        self.run_id = context.job_id
        self.folder: Path = settings.data_dir / "runs" / self.run_id
        self._about: dict[str, Any] = {}
        self._reports = ProgressReports()
        self._points: CurvePoints | None = None
        self._unstored: list[LossPoint] = []
        self._last: dict[str, Any] | None = None
        self._is_checkpointing = False

    @contextmanager
    def open(self, task: str, request: Message) -> Iterator[TrainingRun]:
        """Enter the run into the store, and note there how it ends unless it is done.

        Raises:
            LeaseLost, JobCancelled, JobExpired, GivenBack: when the run stops because of it.
        """
        self._begin(task, request)
        try:
            with sigterm_stops(self._context.stop):
                yield self
            self._tell_last()
        except JobCancelled:
            self._end("cancelled")
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        except GivenBack:
            self._note(state="queued")
            raise
        except (LeaseLost, QueueUnavailable, StoreUnavailable):
            raise  # the row is another worker's by now, or cannot be written
        except Exception as error:  # noted and raised on: whoever watches the run sees why
            self._attempt_failed(error)
            raise

    def _begin(self, task: str, request: Message) -> None:
        config = {name: value for name, value in dump(request).items() if name != "rows"}
        self.folder.mkdir(parents=True, exist_ok=True)
        claim = self._context.claim
        self._about = {"task": task, "model": config.get("name"), "request_sha256": claim.digest}
        self._forgive_kills()
        with self._database.begin() as connection:
            runs.create(connection, self.run_id, task, config=config)
            runs.reopen(connection, self.run_id, fencing_token=claim.token, config=config)
            started = {**self._about, "attempt": claim.attempt}
            self.audit.record(connection, "run_started", self.run_id, started)

    def _forgive_kills(self) -> None:
        """Do not count earlier attempts where the last one got further than those before it.

        The cap is for jobs that break every worker. A long run whose workers are taken away again
        and again is none; one that ends at the same step each time is.
        """
        with self._database.connect() as connection:
            row = runs.get(connection, self.run_id)
        reached = 0 if row is None else row.step or 0
        if reached > self._furthest():
            replace_file(self.folder / _FURTHEST_FILE, str(reached).encode("ascii"))
            if self._context.ledger.advanced(self.run_id, self._context.claim.token):
                self._attempt = 1

    def _furthest(self) -> int:
        path = self.folder / _FURTHEST_FILE
        return int(path.read_text("ascii")) if path.exists() else 0

    def _attempt_failed(self, error: Exception) -> None:
        if isinstance(error, JobExpired):
            self._end("failed", "expired", error)
        elif isinstance(error, NEVER_WORKS):
            self._end("failed", "invalid", error)
        elif self._attempt >= self._max_attempts:
            self._end("failed", "attempts", error)
        else:
            self._note(state="queued", error=_said(error))

    def _end(self, state: Any, reason: str = "", error: Exception | None = None) -> None:
        claim = self._context.claim
        details = dict(self._about)
        if error is not None:
            details |= {"reason": reason, "attempts": claim.attempt}
        with self._database.begin() as connection:
            runs.finish(
                connection,
                self.run_id,
                state,
                error=None if error is None else _said(error),
                fencing_token=claim.token,
            )
            event: Any = f"run_{state}"
            self.audit.record(connection, event, self.run_id, details)

    def _note(self, **news: Any) -> None:
        token = self._context.claim.token
        with self._database.begin() as connection:
            runs.progress(connection, self.run_id, fencing_token=token, **news)

    def should_stop(self) -> bool:
        """Whether the trainer should checkpoint and stop; `stopped` then says why."""
        try:
            self._context.check()
        except GivenBack:
            self._tell_checkpointing()
            return True
        except (JobCancelled, JobExpired, LeaseLost):
            return True
        return False

    def _tell_checkpointing(self) -> None:
        if not self._is_checkpointing:
            self._is_checkpointing = True
            self._tell({**(self._last or {}), "state": "checkpointing"}, force=True)

    def stopped(self) -> None:
        """Raise the reason why `should_stop` said so."""
        self._context.check()

    def reporter(self, to_report: Callable[[Any], Report]) -> Callable[[Any], None]:
        """Return a trainer's progress callback: to the ledger, and the same into the store."""

        def on_progress(progress: Any) -> None:
            report = self._reports.complete(to_report(progress))
            self._tell({**report, "state": "running"})

        return on_progress

    def _tell_last(self) -> None:
        if self._last is not None:
            self._tell(self._last, force=True)

    def _tell(self, report: dict[str, Any], *, force: bool = False) -> None:
        self._last = report
        self._add_to_curve(report)
        try:
            published = self._context.report(report, force=force)
        except QueueUnavailable as error:
            # The lease keeper knows when Redis has been away for too long; this does not.
            logger.warning("run.not_told job_id=%s %s", self.run_id, error)
            published = force
        if published or self._unstored:
            self._keep(report)

    def _add_to_curve(self, report: Report) -> None:
        if report.get("phase") != TRAINING:
            return
        if self._points is None:
            self._points = self._begun_curve(report)
        point = None if self._points is None else self._points.choose(report)
        if point is not None:
            self._unstored.append(point)

    def _begun_curve(self, report: Report) -> CurvePoints | None:
        """Forget what an earlier attempt reported from the step on at which this one begins."""
        try:
            with self._database.begin() as connection:
                last = run_losses.cut(connection, self.run_id, report["step"] or 0)
        except StoreUnavailable as error:
            logger.warning("run.not_noted job_id=%s %s", self.run_id, error)
            return None
        return CurvePoints(last or 0)

    def _keep(self, report: Report) -> None:
        of_model = report if report.get("phase") == TRAINING else {}
        try:
            with self._database.begin() as connection:
                run_losses.add(connection, self.run_id, self._unstored)
                runs.progress(
                    connection,
                    self.run_id,
                    state=report["state"],
                    step=of_model.get("step"),
                    total_steps=of_model.get("total_steps"),
                    loss=of_model.get("loss"),
                    fencing_token=self._context.claim.token,
                )
        except StoreUnavailable as error:
            logger.warning("run.not_noted job_id=%s %s", self.run_id, error)
        else:
            self._unstored.clear()


def _said(error: Exception) -> str:
    name, text = type(error).__name__, str(error)
    return text if isinstance(error, (*NEVER_WORKS, JobExpired)) else f"{name}: {text}"


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
