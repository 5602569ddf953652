"""Losses over incomplete labels, on one scale for all tasks.

Each is the mean over the rows that have the label, divided by the loss of the best constant answer
on the training rows, so that 1 means "learnt nothing" whatever the task. Equal weights over such
losses match elaborate schemes (Kurin et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from jobsentinel_workers.multi_task.calibration import HIGH_QUANTILE, LOW_QUANTILE
from jobsentinel_workers.multi_task.tasks import Task, TaskType

QUANTILES = (LOW_QUANTILE, 0.5, HIGH_QUANTILE)
RawLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class TaskLoss:
    """The loss of one task.

    Attributes:
        raw: from outputs (n, d) and targets (n,) without NaN to their mean loss.
        centre: taken from a regression's targets before they are learnt.
        unit: divides them then.
        constant_loss: what the best constant answer costs on the training rows.
    """

    raw: RawLoss
    centre: float
    unit: float
    constant_loss: float

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Return the normalised loss; None if no row has a label (NaN is no label)."""
        known = ~targets.isnan()
        if not known.any():
            return None
        standardised = (targets[known] - self.centre) / self.unit
        return self.raw(outputs[known], standardised) / self.constant_loss


def make_loss(task: Task, targets: npt.NDArray[np.float64]) -> TaskLoss:
    """Return the loss of ``task``, weighted and scaled by its training targets (NaN allowed)."""
    known = targets[~np.isnan(targets)]
    if task.type is TaskType.CLASSIFICATION:
        return _classification_loss(task, known)
    if task.type is TaskType.BINARY:
        return _binary_loss(known)
    return _regression_loss(known)


def _classification_loss(task: Task, known: npt.NDArray[np.float64]) -> TaskLoss:
    counts = np.bincount(known.astype(np.int64), minlength=len(task.classes))
    # Square roots: rare classes are heard without drowning the common ones.
    weights = np.sqrt(counts.sum() / np.maximum(counts, 1))
    weights = np.where(counts > 0, weights / weights[counts > 0].mean(), 0.0)
    prior = counts[counts > 0] / counts.sum()
    cross_entropy = nn.CrossEntropyLoss(torch.tensor(weights, dtype=torch.float32))

    def raw(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = cross_entropy.to(outputs.device)(outputs, targets.long())
        return loss

    return TaskLoss(raw, 0.0, 1.0, _at_least_a_little(-(prior * np.log(prior)).sum()))


def _binary_loss(known: npt.NDArray[np.float64]) -> TaskLoss:
    rate = known.mean()
    weight = torch.tensor(float(np.sqrt((1 - rate) / rate)))

    def raw(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(
            outputs.squeeze(-1), targets, pos_weight=weight.to(outputs.device)
        )

    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    return TaskLoss(raw, 0.0, 1.0, _at_least_a_little(entropy))


def _regression_loss(known: npt.NDArray[np.float64]) -> TaskLoss:
    centre, unit = float(known.mean()), float(known.std()) or 1.0
    standardised = torch.tensor((known - centre) / unit)
    constant = torch.quantile(standardised, torch.tensor(QUANTILES, dtype=torch.float64))
    cost = pinball_loss(constant.expand(len(known), 3), standardised)
    return TaskLoss(pinball_loss, centre, unit, _at_least_a_little(float(cost)))


def pinball_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean pinball loss of (n, 3) P10, P50, P90 against (n,) targets.

    Source: Koenker and Bassett 1978.
    """
    levels = torch.tensor(QUANTILES, dtype=outputs.dtype, device=outputs.device)
    errors = targets.unsqueeze(1) - outputs
    return torch.maximum(levels * errors, (levels - 1) * errors).mean()


def _at_least_a_little(loss: float) -> float:
    return max(float(loss), 1e-3)
