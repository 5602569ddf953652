"""The training loop: minibatches, masked losses, early stopping for each task by itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from jobsentinel_workers.multi_task.examples import Targets
from jobsentinel_workers.multi_task.losses import TaskLoss
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    stop_if_asked,
)

MIN_IMPROVEMENT = 1e-4
State = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train."""

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    patience: int
    weight_decay: float = 0.01


@dataclass(slots=True)
class Best:
    """The lowest validation loss of a task so far, and the weights that gave it."""

    loss: float = float("inf")
    epoch: int = -1
    state: State = field(default_factory=dict)

    def update(self, loss: float, epoch: int, module: nn.Module) -> None:
        """Keep the weights of ``module`` if ``loss`` is clearly lower than before."""
        if loss < self.loss - MIN_IMPROVEMENT:
            self.loss, self.epoch = loss, epoch
            self.state = copy.deepcopy(module.state_dict())


def epoch_batches(rows: int, schedule: Schedule, epoch: int) -> Iterator[torch.Tensor]:
    """Yield row positions of an epoch in an order that the seed and the epoch fix."""
    order = np.random.default_rng((schedule.seed, epoch)).permutation(rows)
    for start in range(0, rows, schedule.batch_size):
        yield torch.from_numpy(order[start : start + schedule.batch_size])


def total_loss(
    outputs: Mapping[str, torch.Tensor],
    targets: Mapping[str, torch.Tensor],
    losses: Mapping[str, TaskLoss],
    weights: Mapping[str, float],
) -> torch.Tensor | None:
    """Return the weighted sum of the tasks' losses; None if no row has any label."""
    found = {name: losses[name](outputs[name], targets[name]) for name in losses}
    parts = [weights[name] * loss for name, loss in found.items() if loss is not None]
    return torch.stack(parts).sum() if parts else None


def to_tensors(targets: Targets, device: torch.device) -> dict[str, torch.Tensor]:
    """Return targets as float32 tensors on ``device``."""
    return {
        name: torch.from_numpy(values).to(device=device, dtype=torch.float32)
        for name, values in targets.items()
    }


def at_rows(targets: Mapping[str, torch.Tensor], rows: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the targets of the rows given by position."""
    return {name: values[rows.to(values.device)] for name, values in targets.items()}


def fit_heads(
    heads: Mapping[str, nn.Module],
    losses: Mapping[str, TaskLoss],
    train: tuple[torch.Tensor, Mapping[str, torch.Tensor]],
    validation: tuple[torch.Tensor, Mapping[str, torch.Tensor]],
    schedule: Schedule,
    *,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> dict[str, int]:
    """Train ``heads`` on (n, d) embeddings; return the best epoch of each, whose weights it has.

    Heads share nothing over frozen embeddings, so each stops and keeps its best by itself.
    """
    best = {name: Best() for name in losses}
    parameters = [p for name in losses for p in heads[name].parameters()]
    optimiser = torch.optim.AdamW(
        parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    for epoch in range(schedule.epochs):
        stop_if_asked(should_stop)
        _set_training(heads, True)
        for rows in epoch_batches(len(train[0]), schedule, epoch):
            _descend(optimiser, heads, losses, train[0][rows], at_rows(train[1], rows))
        _set_training(heads, False)
        found = validation_losses(lambda x: _outputs(heads, losses, x), losses, *validation)
        for name, loss in found.items():
            best[name].update(loss, epoch, heads[name])
        _report(on_progress, epoch, schedule, found)
        if all(epoch - task.epoch >= schedule.patience for task in best.values()):
            break
    for name, task in best.items():
        heads[name].load_state_dict(task.state)
    return {name: task.epoch + 1 for name, task in best.items()}


def _outputs(
    heads: Mapping[str, nn.Module], names: Mapping[str, TaskLoss], inputs: torch.Tensor
) -> dict[str, torch.Tensor]:
    return {name: heads[name](inputs) for name in names}


def _descend(
    optimiser: torch.optim.Optimizer,
    heads: Mapping[str, nn.Module],
    losses: Mapping[str, TaskLoss],
    inputs: torch.Tensor,
    targets: Mapping[str, torch.Tensor],
) -> None:
    weights = dict.fromkeys(losses, 1.0)  # separate heads: a weight would only rescale the rate
    loss = total_loss(_outputs(heads, losses, inputs), targets, losses, weights)
    if loss is None:
        return
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimiser.step()


@torch.no_grad()
def validation_losses(
    forward: Callable[[torch.Tensor], Mapping[str, torch.Tensor]],
    losses: Mapping[str, TaskLoss],
    inputs: torch.Tensor,
    targets: Mapping[str, torch.Tensor],
) -> dict[str, float]:
    """Return each task's loss on the validation rows that have its label."""
    outputs = forward(inputs)
    found = {name: losses[name](outputs[name], targets[name]) for name in losses}
    return {name: float(loss) for name, loss in found.items() if loss is not None}


def _set_training(heads: Mapping[str, nn.Module], on: bool) -> None:
    for head in heads.values():
        head.train(on)


def _report(
    on_progress: OnProgress, epoch: int, schedule: Schedule, losses: Mapping[str, float]
) -> None:
    done = (epoch + 1) / schedule.epochs
    mean = float(np.mean(list(losses.values()))) if losses else float("nan")
    on_progress(
        {
            "fraction": 0.9 + 0.1 * done,
            "epoch": epoch + 1.0,
            "epochs": float(schedule.epochs),
            "loss": mean,
        }
    )
