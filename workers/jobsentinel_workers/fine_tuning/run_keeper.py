"""What every training run does beside its steps: count, tell, checkpoint, stop, keep the best.

A hand-written loop and the libraries' trainers are both kept by it, so all runs make the same
promises: stopped and resumed, a run ends with the weights of one that was not, up to rounding.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.checkpoints import Checkpoint, CheckpointFolder
from jobsentinel_workers.fine_tuning.interruption import TrainingInterrupted
from jobsentinel_workers.fine_tuning.progress import OnProgress, Pace, Phase, Progress, ShouldStop
from jobsentinel_workers.fine_tuning.random_state import get_random_state, set_random_state
from jobsentinel_workers.fine_tuning.trained_weights import Tensors, TrainedWeights
from jobsentinel_workers.fine_tuning.training_state import TrainingState


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a run tells and asks, the same through all its stages."""

    on_progress: OnProgress
    should_stop: ShouldStop

    @classmethod
    def of(cls, on_progress: OnProgress | None, should_stop: ShouldStop | None) -> Hooks:
        """Return the hooks that are given; what is None does nothing."""
        return cls(on_progress or (lambda progress: None), should_stop or (lambda: False))


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a run is.

    Attributes:
        patience: epochs without a better validation loss before training ends.
    """

    epochs: int
    steps_an_epoch: int
    patience: int
    checkpoint_every_steps: int
    phase: Phase = "training"

    @property
    def total_steps(self) -> int:
        """Steps of a run that does not end early."""
        return self.epochs * self.steps_an_epoch


class RunKeeper:
    """The state of a run and its checkpoints; ``trained`` is what moves."""

    def __init__(
        self,
        trained: TrainedWeights,
        plan: Plan,
        *,
        checkpoints: CheckpointFolder | None,
        hooks: Hooks,
    ) -> None:
        self.trained = trained
        self.plan = plan
        self.state = TrainingState()
        self._checkpoints = checkpoints
        self._hooks = hooks
        self._started = time.monotonic()
        self._pace = Pace(0)
        self._best: Tensors = {}
        self._random: Mapping[str, torch.Tensor] = {}

    def restore(self) -> bool:
        """Go on from the last sound checkpoint; return whether there is one.

        Raises:
            ModelCorrupted: there are checkpoints and none is sound.
        """
        checkpoint = self._checkpoints.latest() if self._checkpoints else None
        if self._checkpoints is None or checkpoint is None:
            return False
        self.state = TrainingState.from_json(checkpoint.state)
        self.trained.put(checkpoint.weights)
        self.trained.put_optimiser_state(checkpoint.optimiser)
        self._random = checkpoint.random
        set_random_state(checkpoint.random)
        if self.state.best_step is not None:
            self._best = self._checkpoints.load_best(self.state.best_step)
        self._pace = Pace(self.state.step)
        return True

    def restore_random_state(self) -> None:
        """Set the generators again, where something has drawn from them since ``restore``."""
        if self._random:
            set_random_state(self._random)

    @property
    def steps_of_this_epoch(self) -> int:
        """Steps done of the epoch in progress."""
        return self.state.step - self.state.epoch * self.plan.steps_an_epoch

    def is_over(self) -> bool:
        """Whether all epochs are done, or so many were no better that no more are worth it."""
        waited = self.state.epoch - self.state.best_epoch
        self.state.stopped_early = waited >= self.plan.patience and bool(self.state.best_epoch)
        return self.state.stopped_early or self.state.epoch >= self.plan.epochs

    def before_step(self) -> None:
        """Set the learning rates of the step to come.

        Raises:
            TrainingInterrupted: the run shall stop; a checkpoint was written.
        """
        if self._hooks.should_stop():
            raise TrainingInterrupted(self.state.step, self.save())
        self.trained.set_rates(self.state.step, self.plan.total_steps)

    def check_loss(self, loss: float) -> None:
        """Refuse a loss that is no number, before it moves weights.

        Raises:
            InvalidInput: the learning rate is too high.
        """
        if not abs(loss) < float("inf"):
            step = self.state.step
            raise InvalidInput("learning_rate", f"is too high: the loss was {loss} at {step}")

    def after_step(self, loss: float, rows: int) -> None:
        """Count a step, tell of it, and checkpoint where one is due."""
        self.state.add_batch(loss, rows)
        step, total = self.state.step, self.plan.total_steps
        eta_s = self._pace.eta_s(step, total)
        epoch = self.state.epoch + 1
        self._hooks.on_progress(Progress(self.plan.phase, step, total, epoch, loss, eta_s))
        if step % self.plan.checkpoint_every_steps == 0:
            self.save()

    def close_epoch(self, validation_loss: float | None) -> None:
        """Count an epoch; without a validation loss, the last weights are the ones to keep."""
        if self.state.close_epoch(validation_loss):
            self._best = self.trained.now()

    def save(self) -> Path | None:
        """Write a checkpoint, where there is a run directory; return its folder."""
        if self._checkpoints is None:
            return None
        self._count_time()
        if self.state.best_step is not None:
            # First, because the step that follows names it.
            self._checkpoints.save_best(self.state.best_step, self._best)
        return self._checkpoints.save(
            Checkpoint(
                state=self.state.to_json(),
                weights=self.trained.now(),
                optimiser=self.trained.optimiser_state(),
                random=get_random_state(),
            )
        )

    def finish(self) -> None:
        """Note that the run is done and put the weights of its best epoch."""
        if not self.state.finished:
            self.state.finished = True
            self.save()
        if self._best:
            self.trained.put(self._best)
        self.trained.freeze()
        self._count_time()

    def _count_time(self) -> None:
        now = time.monotonic()
        self.state.elapsed_s += now - self._started
        self._started = now
