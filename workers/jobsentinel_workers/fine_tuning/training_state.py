"""Where a run is, as numbers that a checkpoint keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from jobsentinel_workers.fine_tuning.metrics import EpochMetrics


@dataclass
class TrainingState:
    """The counters of a run.

    Attributes:
        step: optimiser steps done.
        epoch: finished epochs.
        loss_sum, loss_rows: of the epoch in progress.
        best_step, best_epoch, best_loss: of the lowest validation loss; None before the first.
        baseline: metrics of the simplest alternative, taken before training.
        elapsed_s: time spent training before this process.
    """

    step: int = 0
    epoch: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    best_step: int | None = None
    best_epoch: int = 0
    best_loss: float | None = None
    stopped_early: bool = False
    finished: bool = False
    elapsed_s: float = 0.0
    baseline: dict[str, float | None] = field(default_factory=dict)
    history: list[EpochMetrics] = field(default_factory=list)

    def add_batch(self, loss: float, rows: int) -> None:
        """Count one optimiser step over ``rows`` rows."""
        self.step += 1
        self.loss_sum += loss * rows
        self.loss_rows += rows

    def close_epoch(self, validation_loss: float | None) -> bool:
        """Count one epoch; return whether it is known to be the best so far."""
        self.epoch += 1
        train_loss = self.loss_sum / max(1, self.loss_rows)
        self.loss_sum, self.loss_rows = 0.0, 0
        if validation_loss is None:
            return False
        self.history.append(EpochMetrics(self.epoch, train_loss, validation_loss))
        if self.best_loss is not None and validation_loss >= self.best_loss:
            return False
        self.best_step, self.best_epoch, self.best_loss = self.step, self.epoch, validation_loss
        return True

    def to_json(self) -> dict[str, Any]:
        """Return plain values; floats keep every bit in JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the state in a checkpoint's values; what is not a counter is left."""
        known = {name: values[name] for name in cls.__dataclass_fields__}
        known["history"] = [EpochMetrics(**epoch) for epoch in values["history"]]
        return cls(**known)
