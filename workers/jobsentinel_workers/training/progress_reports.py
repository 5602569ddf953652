"""What a trainer tells, in the words that all runs share, and which of it becomes the loss curve.

The trainers count different things. Here every report gets ``phase``, ``fraction`` and ``eta_s``,
and the steps of a training over fixed embeddings, whose heads move once an epoch, are epochs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobsentinel_workers.store.run_losses import LossPoint

Report = Mapping[str, Any]

EMBEDDING_SHARE: Final = 0.9
"""Of a run over fixed embeddings, which takes its time to compute them."""
MAX_POINTS: Final = 200
"""Of a curve, about: more than a terminal is wide, and so few that each can be stored at once."""

EMBEDDING, TRAINING, COMPARING = "embedding", "training", "comparing"


class ProgressReports:
    """Completes the reports of one attempt, in their order."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None
        self._embedded = False

    def complete(self, report: Report) -> dict[str, Any]:
        """Return ``report`` with its phase, its steps, ``fraction`` from 0 to 1 and ``eta_s``.

        ``comparing`` are later trainings of a run, whose steps and losses are not those of the
        model that it is about.
        """
        step, total = _steps(report)
        phase = _phase(report)
        self._embedded = self._embedded or phase == EMBEDDING
        fraction = report.get("fraction")
        if fraction is None:
            fraction = self._share(phase, step or 0, total or 1)
        eta_s = report.get("eta_s") if phase == TRAINING else None
        return {
            **report,
            "phase": phase,
            "step": step,
            "total_steps": total,
            "loss": report.get("loss"),
            "fraction": fraction,
            "eta_s": self._eta_s(fraction) if eta_s is None else eta_s,
        }

    def _share(self, phase: str, step: int, total: int) -> float:
        if phase == EMBEDDING:
            return EMBEDDING_SHARE * step / total
        start = EMBEDDING_SHARE if self._embedded else 0.0
        return start + (1 - start) * step / total

    def _eta_s(self, fraction: float) -> float | None:
        """Return the seconds left at the pace since the attempt's first report."""
        now = time.monotonic()
        if self._began is None:
            self._began = (now, fraction)
        began, start = self._began
        if fraction <= start:
            return None
        return (now - began) / (fraction - start) * (1.0 - fraction)


def _phase(report: Report) -> str:
    if report.get("stage"):
        return COMPARING
    return str(report.get("phase") or (EMBEDDING if report.get("loss") is None else TRAINING))


def _steps(report: Report) -> tuple[int | None, int | None]:
    names = ("step", "total_steps") if "step" in report else ("epoch", "epochs")
    step, total = (report.get(name) for name in names)
    return None if step is None else int(step), None if total is None else int(total)


@dataclass(slots=True)
class CurvePoints:
    """Chooses the points of a curve by their steps alone.

    So a run that was killed has the points of one that was not: a point is the first report of
    its share of all steps, or the last step.
    """

    last_step: int = 0

    def choose(self, report: Report) -> LossPoint | None:
        """Return the point that a complete report is, or None."""
        step, total, loss = (report.get(name) for name in ("step", "total_steps", "loss"))
        if report["phase"] != TRAINING or not step or not total or loss is None:
            return None
        # What goes back is another training, which a trainer did not mark as one.
        if step <= self.last_step:
            return None
        stride = -(-total // MAX_POINTS)
        begins_a_share = not self.last_step or (step - 1) // stride > (self.last_step - 1) // stride
        if not begins_a_share and step != total:
            return None
        self.last_step = step
        return LossPoint(step, float(loss))
