"""One look at a training run: its row in the store, and what the ledger says of its job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgpack

from jobsentinel.contract.errors import ConfigurationError, InvalidInput, QueueUnavailable
from jobsentinel_workers.cli.opening import require_store
from jobsentinel_workers.jobs.run_rows import TRAINING_TASKS
from jobsentinel_workers.store import Database, run_losses, runs
from jobsentinel_workers.store.run_losses import LossPoint

if TYPE_CHECKING:
    from jobsentinel.ledger import Ledger
    from jobsentinel.settings import Settings

FINAL_STATES: Final = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Look:
    """Where a run stood at one moment."""

    run_id: str
    task: str
    model: str | None
    state: str
    phase: str | None
    step: int
    total_steps: int | None
    loss: float | None
    fraction: float | None
    eta_s: float | None
    error: str | None
    version: int | None
    curve: tuple[LossPoint, ...]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in FINAL_STATES

    @property
    def title(self) -> str:
        """What is trained, and which model."""
        return self.task if self.model is None else f"{self.task} {self.model}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the curve."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "curve"}


class Watcher:
    """Looks at runs, in the store and, as long as there is one, in the ledger."""

    def __init__(self, database: Database, ledger: Ledger | None) -> None:
        self._database = database
        self._ledger = ledger

    def newest_active(self) -> str | None:
        """Return the run to watch when none is named: one at work before one that waits."""
        with self._database.connect() as connection:
            found = runs.find(connection, state=runs.OPEN_STATES)
        known = self._states([run.run_id for run in found])
        # What the ledger has forgotten, as a server that was emptied, nobody works on.
        active = [run for run in found if known.get(run.run_id) != "unknown"]
        at_work = [run.run_id for run in active if run.state != "queued"]
        waiting = [run.run_id for run in active if run.state == "queued"]
        return next(iter([*at_work, *self._waiting(), *waiting]), None)

    def _states(self, run_ids: list[str]) -> Mapping[str, str]:
        if self._ledger is None or not run_ids:
            return {}
        try:
            return dict(zip(run_ids, self._ledger.states(run_ids), strict=True))
        except QueueUnavailable:
            return {}

    def _waiting(self) -> list[str]:
        """Return the runs that wait, the last one first."""
        if self._ledger is None:
            return []
        try:
            return self._ledger.waiting(TRAINING_TASKS)
        except QueueUnavailable:
            return []

    def look(self, run_id: str) -> Look:
        """Return where a run stands.

        Raises:
            InvalidInput: neither the store nor the ledger knows it.
        """
        job, report, task = self._job(run_id)
        with self._database.connect() as connection:
            run = runs.get(connection, run_id)
            curve = tuple(run_losses.curve(connection, run_id))
        if run is None and task not in TRAINING_TASKS:
            raise InvalidInput("RUN_ID", f"there is no run {run_id!r}")
        if run is None:
            return _waiting_look(run_id, task, job, self._error(run_id, job))
        state = _state(run.state, job, report)
        is_at_work = state in {"running", "checkpointing"}
        told = report if is_at_work else {}
        return Look(
            run_id=run_id,
            task=run.task,
            model=run.model_name or run.config.get("name"),
            state=state,
            phase=told.get("phase"),
            step=run.step,
            total_steps=run.total_steps,
            loss=run.loss,
            fraction=1.0 if state == "done" else report.get("fraction"),
            eta_s=told.get("eta_s"),
            error=self._error(run_id, state) or run.error,
            version=run.model_version,
            curve=curve,
        )

    def _job(self, run_id: str) -> tuple[str, Mapping[str, Any], str]:
        if self._ledger is None:
            return "unknown", {}, ""
        try:
            entry = self._ledger.entry(run_id)
            return entry.state, self._ledger.progress(run_id) or {}, entry.task
        except QueueUnavailable:
            return "unknown", {}, ""

    def _error(self, run_id: str, state: str) -> str | None:
        if self._ledger is None or state != "failed":
            return None
        try:
            return self._ledger.failure(run_id)[1] or None
        except QueueUnavailable:
            return None

    def report(self, run_id: str) -> str:
        """Return the report of a finished run, with what the gate said; "" once it is forgotten."""
        try:
            packed = None if self._ledger is None else self._ledger.outcome(run_id)[1]
        except QueueUnavailable:
            return ""
        return "" if packed is None else str(msgpack.unpackb(packed).get("report", ""))


def _waiting_look(run_id: str, task: str, job: str, error: str | None) -> Look:
    return Look(
        run_id=run_id,
        task=task,
        model=None,
        state=job,
        phase=None,
        step=0,
        total_steps=None,
        loss=None,
        fraction=None,
        eta_s=None,
        error=error,
        version=None,
        curve=(),
    )


def _state(row: str, job: str, report: Mapping[str, Any]) -> str:
    """Return the run's state: the ledger knows it first, the row knows what it means to a run."""
    if job in {"unknown", "done"}:
        # A job is done a moment after its row is; one that the ledger forgot is in the row alone.
        return row
    if job == "running":
        return row if row == "checkpointing" else str(report.get("state", "running"))
    return job


@contextmanager
def watcher(settings: Settings) -> Iterator[Watcher]:
    """Open the store, and the ledger where there is one.

    Raises:
        ConfigurationError: nothing was ever stored there, or it cannot be used.
    """
    require_store(settings)
    database = Database.open(settings.store_url)
    try:
        yield Watcher(database, _ledger(settings))
    finally:
        database.close()


def _ledger(settings: Settings) -> Ledger | None:
    from jobsentinel_workers.process import connect_ledger

    try:
        return connect_ledger(settings)
    except ConfigurationError:  # the embedded server does not run; what was stored is there
        return None
