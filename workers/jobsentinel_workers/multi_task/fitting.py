"""Training heads over fixed embeddings, and what all training loops share."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import nn

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.learning_rate import rate_factor
from jobsentinel_workers.multi_task.batches import shuffled_steps
from jobsentinel_workers.multi_task.embedding_files import SHARE_OF_RUN
from jobsentinel_workers.multi_task.examples import Targets
from jobsentinel_workers.multi_task.losses import TaskLoss
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    stop_if_asked,
)
from jobsentinel_workers.multi_task.schedule import Schedule

MIN_IMPROVEMENT = 1e-4
State = dict[str, torch.Tensor]
TargetTensors = Mapping[str, torch.Tensor]
Data = tuple[torch.Tensor, TargetTensors]
"""(n, d) embeddings and the targets of the same rows."""


@dataclass(slots=True)
class Best:
    """The lowest validation loss so far, and the weights that gave it."""

    loss: float = float("inf")
    epoch: int = -1
    state: State = field(default_factory=dict)

    def update(self, loss: float, epoch: int, weights: Callable[[], State]) -> None:
        """Keep what ``weights`` returns if ``loss`` is clearly lower than before.

        Raises:
            InvalidInput: the loss is not finite.
        """
        check_finite(loss, f"after epoch {epoch + 1}")
        if loss < self.loss - MIN_IMPROVEMENT:
            self.loss, self.epoch, self.state = loss, epoch, weights()


def check_finite(loss: float, when: str) -> None:
    """Raise InvalidInput if a loss is no longer a number: no such weights are ever kept."""
    if not math.isfinite(loss):
        raise InvalidInput("learning_rate", f"is too high: the loss was {loss} {when}")


def descend(
    optimiser: torch.optim.Optimizer,
    groups: Iterable[Iterable[nn.Parameter]],
    schedule: Schedule,
    when: str,
) -> None:
    """Take one step along the gradients, each group's cut to the schedule's length.

    Raises:
        InvalidInput: a gradient is not finite; the weights are still what they were.
    """
    for weights in groups:
        norm = nn.utils.clip_grad_norm_(weights, schedule.max_gradient_norm)
        check_finite(float(norm), when)
    optimiser.step()


def to_tensors(targets: Targets, device: torch.device) -> dict[str, torch.Tensor]:
    """Return targets as float32 tensors on ``device``."""
    return {
        name: torch.from_numpy(values).to(device=device, dtype=torch.float32)
        for name, values in targets.items()
    }


def task_losses(
    outputs: TargetTensors, targets: TargetTensors, losses: Mapping[str, TaskLoss]
) -> dict[str, torch.Tensor]:
    """Return each task's loss on the rows that have its label; tasks without any are absent."""
    found = {name: losses[name](outputs[name], targets[name]) for name in losses}
    return {name: loss for name, loss in found.items() if loss is not None}


@torch.no_grad()
def validation_losses(
    heads: Mapping[str, nn.Module], losses: Mapping[str, TaskLoss], data: Data
) -> dict[str, float]:
    """Return each task's loss on the validation rows that have its label."""
    outputs = {name: heads[name](data[0]) for name in losses}
    return {name: float(loss) for name, loss in task_losses(outputs, data[1], losses).items()}


def fit_heads(
    heads: Mapping[str, nn.Module],
    losses: Mapping[str, TaskLoss],
    train: Data,
    validation: Data,
    schedule: Schedule,
    *,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> dict[str, int]:
    """Train ``heads`` on (n, d) embeddings; return the best epoch of each, whose weights it has.

    Heads share nothing over frozen embeddings, so each stops and keeps its best by itself. They
    change when all of them are done, or not at all. The learning rate moves from epoch to epoch.

    Raises:
        InvalidInput: a loss is no longer finite.
        TrainingStopped: ``should_stop`` said so.
    """
    learning = {name: copy.deepcopy(heads[name]) for name in losses}
    best = {name: Best() for name in losses}
    parameters = [weight for head in learning.values() for weight in head.parameters()]
    optimiser = torch.optim.AdamW(
        parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    for epoch in range(schedule.epochs):
        stop_if_asked(should_stop)
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * rate_factor(epoch, schedule.epochs)
        _train_epoch(learning, losses, train, optimiser, schedule=schedule, epoch=epoch)
        found = validation_losses(learning, losses, validation)
        for name, loss in found.items():
            best[name].update(loss, epoch, partial(_copied, learning[name]))
        on_progress(_progress(epoch, schedule, found))
        if all(epoch - task.epoch >= schedule.patience for task in best.values()):
            break
    for name, task in best.items():
        heads[name].load_state_dict(task.state)
    return {name: task.epoch + 1 for name, task in best.items()}


def _copied(module: nn.Module) -> State:
    return copy.deepcopy(dict(module.state_dict()))


def _train_epoch(
    heads: Mapping[str, nn.Module],
    losses: Mapping[str, TaskLoss],
    train: Data,
    optimiser: torch.optim.Optimizer,
    *,
    schedule: Schedule,
    epoch: int,
) -> None:
    for head in heads.values():
        head.train()
    for rows in shuffled_steps(len(train[0]), schedule, epoch):
        chosen = torch.from_numpy(rows).to(train[0].device)
        outputs = {name: head(train[0][chosen]) for name, head in heads.items()}
        targets = {name: values[chosen] for name, values in train[1].items()}
        found = task_losses(outputs, targets, losses)
        if not found:
            continue
        # The heads are apart: a weight would only rescale a head's rate.
        loss = torch.stack(list(found.values())).sum()
        check_finite(float(loss.detach()), f"in epoch {epoch + 1}")
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        labelled = [heads[name].parameters() for name in found]
        descend(optimiser, labelled, schedule, f"in epoch {epoch + 1}")
    for head in heads.values():
        head.eval()


def _progress(epoch: int, schedule: Schedule, losses: Mapping[str, float]) -> dict[str, float]:
    done = (epoch + 1) / schedule.epochs
    return {
        "fraction": SHARE_OF_RUN + (1 - SHARE_OF_RUN) * done,
        "epoch": epoch + 1.0,
        "epochs": float(schedule.epochs),
        "loss": float(np.mean(list(losses.values()))),
    }
