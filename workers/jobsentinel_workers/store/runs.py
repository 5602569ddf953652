"""Training runs: where each stands, what it learned with, and which model came out.

    queued -> running <-> checkpointing -> done | failed | cancelled

A run goes back to ``queued`` when its worker gives it to another or was killed, and, with its
error, when an attempt failed and another follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, select
from sqlalchemy import update as update_table

from jobsentinel.contract.errors import InvalidInput, LeaseLost
from jobsentinel_workers.store.checks import (
    checked_id,
    checked_json,
    checked_number,
    checked_text,
    storable_text,
)
from jobsentinel_workers.store.schema import runs
from jobsentinel_workers.store.timestamps import utc_now
from jobsentinel_workers.store.upserts import insert_new

RunState = Literal["queued", "running", "checkpointing", "done", "failed", "cancelled"]

_NEXT: Final[Mapping[str, frozenset[str]]] = {
    "queued": frozenset(("running", "failed", "cancelled")),
    "running": frozenset(("queued", "checkpointing", "done", "failed", "cancelled")),
    "checkpointing": frozenset(("queued", "running", "done", "failed", "cancelled")),
    "failed": frozenset(("queued", "running")),
    "done": frozenset(),
    "cancelled": frozenset(),
}
_FINAL: Final = frozenset(("done", "failed", "cancelled"))
OPEN_STATES: Final[tuple[RunState, ...]] = ("queued", "running", "checkpointing")
"""The states of a run that is not over."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run as last reported."""

    run_id: str
    task: str
    state: RunState
    step: int
    total_steps: int | None
    loss: float | None
    metrics: dict[str, Any]
    config: dict[str, Any]
    model_name: str | None
    model_version: int | None
    error: str | None
    fencing_token: int
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None


def create(
    connection: Connection,
    run_id: str,
    task: str,
    *,
    config: Mapping[str, Any] | None = None,
    total_steps: int | None = None,
) -> bool:
    """Enter a queued run; false when it is there already, which then stays as it is."""
    now = utc_now()
    row = {
        "run_id": checked_id("run_id", run_id),
        "task": checked_id("task", task),
        "state": "queued",
        "step": 0,
        "total_steps": total_steps,
        "metrics": {},
        "config": checked_json("config", dict(config or {})),
        "fencing_token": 0,
        "created_at": now,
        "updated_at": now,
    }
    return bool(insert_new(connection, runs, [row]))


def reopen(
    connection: Connection,
    run_id: str,
    *,
    fencing_token: int,
    config: Mapping[str, Any] | None = None,
) -> Run:
    """Let a run that was queued, broke off, failed or was cancelled go on; its steps are kept.

    A run that was entered while it waited gets its ``config`` only now.

    Raises:
        InvalidInput: no such run, or it is done.
        LeaseLost: a worker with a higher fencing token has reported on this run.
    """
    run = _get_known(connection, run_id)
    token = _checked_token(run, fencing_token)
    if run.state == "done":
        raise InvalidInput("state", f"run {run_id} is done and cannot be reopened")
    values = {
        "state": "running",
        "error": None,
        "finished_at": None,
        "started_at": run.started_at or utc_now(),
        "fencing_token": token,
        "updated_at": utc_now(),
    }
    if config is not None:
        values["config"] = checked_json("config", dict(config))
    connection.execute(update_table(runs).where(runs.c.run_id == run_id).values(**values))
    return _get_known(connection, run_id)


def progress(
    connection: Connection,
    run_id: str,
    *,
    state: RunState | None = None,
    step: int | None = None,
    total_steps: int | None = None,
    loss: float | None = None,
    metrics: Mapping[str, Any] | None = None,
    error: str | None = None,
    fencing_token: int | None = None,
) -> Run:
    """Report where a run stands; what is not given stays, and metrics join the earlier ones.

    An ``error`` is that of an attempt which another one follows.

    Raises:
        InvalidInput: no such run, a state that cannot follow the present one, or a loss that is
            not finite.
        LeaseLost: a worker with a higher fencing token has reported on this run.
    """
    if loss is not None:
        checked_number("loss", loss)
    news = {"step": step, "total_steps": total_steps, "loss": loss, "error": _storable(error)}
    return _update(
        connection, run_id, state=state, news=news, metrics=metrics, fencing_token=fencing_token
    )


def finish(
    connection: Connection,
    run_id: str,
    state: Literal["done", "failed", "cancelled"],
    *,
    metrics: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    model_version: int | None = None,
    error: str | None = None,
    fencing_token: int | None = None,
) -> Run:
    """Close a run with its model or its error; a repeat with the same state changes nothing.

    Raises:
        InvalidInput: no such run, or it ended in another way.
        LeaseLost: a worker with a higher fencing token has reported on this run.
    """
    if state not in _FINAL:
        raise InvalidInput("state", f"must be one of {', '.join(sorted(_FINAL))}, not {state!r}")
    run = _get_known(connection, run_id)
    if run.state == state:
        return run
    news = {
        "model_name": None if model_name is None else checked_text("model_name", model_name),
        "model_version": model_version,
        "error": _storable(error),
    }
    return _update(
        connection, run_id, state=state, news=news, metrics=metrics, fencing_token=fencing_token
    )


def get(connection: Connection, run_id: str) -> Run | None:
    """Return the run, or ``None``."""
    row = connection.execute(select(runs).where(runs.c.run_id == run_id)).first()
    return None if row is None else Run(*row)


def find(
    connection: Connection,
    *,
    state: RunState | Sequence[RunState] | None = None,
    task: str | None = None,
    limit: int = 100,
) -> list[Run]:
    """Return runs, newest first; several states are alternatives."""
    chosen = select(runs)
    if state is not None:
        states = [state] if isinstance(state, str) else list(state)
        chosen = chosen.where(runs.c.state.in_(states))
    if task is not None:
        chosen = chosen.where(runs.c.task == task)
    newest = chosen.order_by(runs.c.created_at.desc(), runs.c.run_id).limit(limit)
    return [Run(*row) for row in connection.execute(newest)]


def _update(
    connection: Connection,
    run_id: str,
    *,
    state: RunState | None,
    news: Mapping[str, Any],
    metrics: Mapping[str, Any] | None,
    fencing_token: int | None,
) -> Run:
    run = _get_known(connection, run_id)
    token = _checked_token(run, fencing_token)
    values = {name: value for name, value in news.items() if value is not None}
    values |= _moved(run, state or run.state)
    values |= {"fencing_token": token, "updated_at": utc_now()}
    if metrics:
        values["metrics"] = run.metrics | checked_json("metrics", dict(metrics))
    connection.execute(update_table(runs).where(runs.c.run_id == run_id).values(**values))
    return _get_known(connection, run_id)


def _get_known(connection: Connection, run_id: str) -> Run:
    run = get(connection, checked_id("run_id", run_id))
    if run is None:
        raise InvalidInput("run_id", f"there is no run {run_id!r}")
    return run


def _storable(error: str | None) -> str | None:
    return None if error is None else storable_text(error)


def _checked_token(run: Run, token: int | None) -> int:
    if token is None:
        return run.fencing_token
    if token < run.fencing_token:
        raise LeaseLost(
            f"run {run.run_id}: token {token} is older than {run.fencing_token}; nothing was stored"
        )
    return token


def _moved(run: Run, state: RunState) -> dict[str, Any]:
    """Return the columns that change with the state, if ``state`` may follow the run's."""
    if state == run.state and state not in _FINAL:
        return {}
    if state not in _NEXT[run.state]:
        raise InvalidInput("state", f"run {run.run_id} is {run.state} and cannot become {state}")
    moved: dict[str, Any] = {"state": state}
    if state == "running" and run.started_at is None:
        moved["started_at"] = utc_now()
    if run.state == "failed":
        moved |= {"error": None, "finished_at": None}
    if state in _FINAL:
        moved["finished_at"] = utc_now()
    return moved
