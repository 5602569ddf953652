"""Training an encoder, or part of it, together with the heads.

After each epoch, every `CHECKPOINT_EVERY_STEPS`, and when asked to stop, everything that the next
step depends on goes to ``checkpoints/`` in the run folder. A resumed run goes on at that step and
ends with the same weights, bit for bit, as one that was never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from jobsentinel_workers.encoders import plan_batches
from jobsentinel_workers.fine_tuning.checkpoints import Checkpoint, CheckpointFolder
from jobsentinel_workers.fine_tuning.learning_rate import rate_factor
from jobsentinel_workers.fine_tuning.optimiser_state import (
    get_optimiser_state,
    put_optimiser_state,
)
from jobsentinel_workers.fine_tuning.random_state import get_random_state, set_random_state
from jobsentinel_workers.multi_task.batches import Rows, steps_of_like_length
from jobsentinel_workers.multi_task.fitting import (
    Best,
    State,
    check_finite,
    descend,
    task_losses,
    validation_losses,
)
from jobsentinel_workers.multi_task.hidden_states import MAX_TOKENS_A_BATCH
from jobsentinel_workers.multi_task.labelled_rows import LabelledRows, shares_of_labels
from jobsentinel_workers.multi_task.losses import TaskLoss
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    Progress,
    ShouldStop,
    TrainingStopped,
    stop_if_asked,
)
from jobsentinel_workers.multi_task.schedule import Schedule
from jobsentinel_workers.multi_task.trained_encoders import TrainedEncoder
from jobsentinel_workers.multi_task.weighting import EqualWeighting

CHECKPOINT_EVERY_STEPS = 200
REPORT_EVERY_STEPS = 10


@dataclass(slots=True)
class Position:
    """How far a run is.

    Attributes:
        epoch: epochs that are over.
        step: steps taken in all.
        step_of_epoch: steps taken of the epoch that is not over.
    """

    epoch: int = 0
    step: int = 0
    step_of_epoch: int = 0


class EncoderTraining:
    """One run over ``encoder`` and copies of ``heads``.

    Args:
        encoder: what moves of the encoder, and from where its forward pass starts.
        heads: by task; they are changed by `finish` only.
        weighting: how the tasks' losses become one.
        checkpoints: where the run is kept; None keeps nothing.
    """

    def __init__(
        self,
        encoder: TrainedEncoder,
        heads: Mapping[str, nn.Module],
        losses: Mapping[str, TaskLoss],
        *,
        weighting: EqualWeighting,
        schedule: Schedule,
        checkpoints: CheckpointFolder | None,
    ) -> None:
        self.encoder = encoder
        self.heads = nn.ModuleDict(dict(heads))
        self.losses = losses
        self.weighting = weighting
        self.schedule = schedule
        self.checkpoints = checkpoints
        self.weights = {
            **_prefixed("encoder", encoder.weights),
            **_prefixed("pooler", dict(encoder.pooler.named_parameters())),
            **_prefixed("heads", dict(self.heads.named_parameters())),
            **_prefixed("weighting", dict(weighting.named_parameters())),
        }
        self.optimiser = self._make_optimiser()
        self.at = Position()
        self.best = Best()
        self.best_step: int | None = None
        self._last_loss = 0.0

    def fit(
        self,
        train: LabelledRows,
        validation: LabelledRows,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> int:
        """Train, take the weights of the best epoch, and return that epoch, from 1.

        Raises:
            TrainingStopped: ``should_stop`` said so; the run folder holds the very step.
            InvalidInput: a loss is no longer finite.
            ModelCorrupted: there are checkpoints and none is sound.
        """
        self._resume()
        if not self._is_over():
            self.encoder.prepare(_telling(on_progress, should_stop, self.encoder.share_of_run))
        while not self._is_over():
            self._train_epoch(train, on_progress, should_stop)
            self._close_epoch(self._validate(validation), on_progress)
        self._put_weights(self.best.state)
        return self.best.epoch + 1

    def _is_over(self) -> bool:
        epochs, patience = self.schedule.epochs, self.schedule.patience
        waited = self.at.epoch - 1 - self.best.epoch
        return self.at.epoch >= epochs or (self.at.epoch > 0 and waited >= patience)

    def _train_epoch(
        self, train: LabelledRows, on_progress: OnProgress, should_stop: ShouldStop
    ) -> None:
        lengths = [self.encoder.lengths[row] for row in train.rows]
        steps = steps_of_like_length(lengths, self.schedule, self.at.epoch)
        known = train.known()
        self._set_training(True)
        for batches in steps[self.at.step_of_epoch :]:
            if should_stop():
                self._save()
                raise TrainingStopped(f"training was stopped at step {self.at.step}")
            shares = shares_of_labels(batches, known)
            self._take_step(batches, shares, train, self.schedule.epochs * len(steps))
            if self.at.step % REPORT_EVERY_STEPS == 0:
                on_progress(self._progress(len(steps)))
            if self.at.step % CHECKPOINT_EVERY_STEPS == 0:
                self._save()
        self._set_training(False)

    def _take_step(
        self,
        batches: Sequence[Rows],
        shares: Sequence[Mapping[str, float]],
        train: LabelledRows,
        total_steps: int,
    ) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = group["full_rate"] * rate_factor(self.at.step, total_steps)
        self.optimiser.zero_grad(set_to_none=True)
        labelled = [n for n, share in enumerate(shares) if any(share.values())]
        values = [self._add_gradients(batches[n], shares[n], train) for n in labelled]
        if labelled:
            descend(self.optimiser, [self.weights.values()], self.schedule, f"at {self._step}")
            self._last_loss = sum(values)
        self.at.step += 1
        self.at.step_of_epoch += 1

    def _add_gradients(
        self, batch: Rows, shares: Mapping[str, float], train: LabelledRows
    ) -> float:
        """Add a batch's part of a step's gradients; return its part of the loss."""
        embeddings = self.encoder.embed(train.rows[batch].tolist())
        outputs = {name: head(embeddings) for name, head in self.heads.items()}
        loss = self.weighting(task_losses(outputs, train.targets_at(batch), self.losses), shares)
        value = float(loss.detach())
        check_finite(value, f"at {self._step}")
        torch.autograd.backward(loss)
        return value

    @property
    def _step(self) -> str:
        return f"step {self.at.step}"

    def _set_training(self, on: bool) -> None:
        self.encoder.set_training(on)
        self.heads.train(on)

    def _close_epoch(self, loss: float, on_progress: OnProgress) -> None:
        self.best.update(loss, self.at.epoch, self._weights_now)
        if self.best.epoch == self.at.epoch:
            self.best_step = self.at.step
        steps = self.at.step_of_epoch
        self.at.epoch, self.at.step_of_epoch = self.at.epoch + 1, 0
        # Told before it is kept: a run that is killed in between tells it again.
        on_progress(self._progress(steps) | {"validation_loss": loss})
        self._save()

    def _validate(self, validation: LabelledRows) -> float:
        """Return the tasks' losses times the weights they were given.

        Learnt weights would fall with the losses and hide that these have stopped to fall.
        """
        embeddings = self._embed(validation.rows)
        found = validation_losses(
            dict(self.heads.items()), self.losses, (embeddings, validation.targets)
        )
        return sum(self.weighting.weights[name] * loss for name, loss in found.items())

    @torch.no_grad()
    def _embed(self, rows: Rows) -> torch.Tensor:
        lengths = [self.encoder.lengths[row] for row in rows]
        order: list[int] = []
        parts: list[torch.Tensor] = []
        for batch in plan_batches(lengths, max_tokens_a_batch=MAX_TOKENS_A_BATCH, max_rows=64):
            order += batch
            parts.append(self.encoder.embed(rows[batch].tolist()))
        return torch.cat(parts)[np.argsort(order)]

    def _progress(self, steps_an_epoch: int) -> Progress:
        epochs = self.at.epoch + self.at.step_of_epoch / steps_an_epoch
        start = self.encoder.share_of_run
        return {
            "fraction": start + (1 - start) * epochs / self.schedule.epochs,
            "epoch": epochs,
            "epochs": float(self.schedule.epochs),
            "step": float(self.at.step),
            "total_steps": float(steps_an_epoch * self.schedule.epochs),
            "loss": self._last_loss,
        }

    def _make_optimiser(self) -> torch.optim.Optimizer:
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, weight in self.weights.items():
            rate = self.schedule.learning_rate
            rate = rate if name.startswith("encoder.") else self.schedule.head_rate
            # Norms, biases and log-variances are no matrices and have no reason to be small.
            decay = self.schedule.weight_decay * (weight.ndim > 1)
            groups.setdefault((rate, decay), []).append(weight)
        return torch.optim.AdamW(
            [
                {"params": weights, "lr": rate, "full_rate": rate, "weight_decay": decay}
                for (rate, decay), weights in groups.items()
            ]
        )

    def _weights_now(self) -> State:
        return {name: weight.detach().clone().cpu() for name, weight in self.weights.items()}

    @torch.no_grad()
    def _put_weights(self, state: Mapping[str, torch.Tensor]) -> None:
        for name, weight in self.weights.items():
            weight.copy_(state[name])

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        if self.best_step is not None:
            # First, because the step that follows names it.
            self.checkpoints.save_best(self.best_step, self.best.state)
        state: dict[str, Any] = {
            **asdict(self.at),
            "best_step": self.best_step,
            "best_epoch": self.best.epoch,
            "best_loss": None if self.best_step is None else self.best.loss,
            "last_loss": self._last_loss,
            "finished": False,
        }
        optimiser = get_optimiser_state(self.optimiser, self.weights)
        checkpoint = Checkpoint(state, self._weights_now(), optimiser, get_random_state())
        self.checkpoints.save(checkpoint)

    def _resume(self) -> None:
        checkpoint = self.checkpoints.latest() if self.checkpoints else None
        if self.checkpoints is None or checkpoint is None:
            return
        state = checkpoint.state
        self.at = Position(state["epoch"], state["step"], state["step_of_epoch"])
        self._last_loss = state["last_loss"]
        self._put_weights(checkpoint.weights)
        put_optimiser_state(self.optimiser, self.weights, checkpoint.optimiser)
        set_random_state(checkpoint.random)
        self.best_step = state["best_step"]
        if self.best_step is not None:
            weights = self.checkpoints.load_best(self.best_step)
            self.best = Best(state["best_loss"], state["best_epoch"], weights)


def _prefixed(prefix: str, weights: Mapping[str, nn.Parameter]) -> dict[str, nn.Parameter]:
    return {f"{prefix}.{name}": weight for name, weight in weights.items()}


def _telling(
    on_progress: OnProgress, should_stop: ShouldStop, share_of_run: float
) -> Callable[[float], None]:
    def before_chunk(done: float) -> None:
        stop_if_asked(should_stop)
        on_progress({"fraction": share_of_run * done})

    return before_chunk
