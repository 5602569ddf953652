"""The loss curve of each training run: losses by step, kept after the run's folder is gone.

Whoever reports chooses the steps, so that a run has some hundred points at most; a step that is
reported again, after a kill, replaces what was there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from jobsentinel_workers.store.checks import checked_id, checked_number
from jobsentinel_workers.store.schema import run_losses
from jobsentinel_workers.store.upserts import insert_or_update


class LossPoint(NamedTuple):
    """The loss of one step."""

    step: int
    loss: float


def add(connection: Connection, run_id: str, points: Sequence[LossPoint]) -> None:
    """Add points to a run's curve.

    Raises:
        InvalidInput: a loss is not finite.
    """
    rows = [
        {
            "run_id": checked_id("run_id", run_id),
            "step": point.step,
            "loss": checked_number("loss", point.loss),
        }
        for point in points
    ]
    insert_or_update(connection, run_losses, rows)


def cut(connection: Connection, run_id: str, step: int) -> int | None:
    """Forget the curve from ``step`` on, where a run begins again; return the last step kept."""
    of_run = run_losses.c.run_id == run_id
    connection.execute(delete(run_losses).where(of_run, run_losses.c.step >= step))
    last = connection.execute(select(func.max(run_losses.c.step)).where(of_run))
    return last.scalar_one_or_none()


def curve(connection: Connection, run_id: str) -> list[LossPoint]:
    """Return a run's points by step; none for a run that never reported a loss."""
    chosen = select(run_losses.c.step, run_losses.c.loss).where(run_losses.c.run_id == run_id)
    return [LossPoint(*row) for row in connection.execute(chosen.order_by(run_losses.c.step))]
