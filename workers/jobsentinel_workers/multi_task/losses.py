"""Losses over incomplete labels, on one scale for all tasks.

Each is the mean over the rows that have the label, divided by the loss of the best constant answer
on the training rows, so that 1 means "learnt nothing" whatever the task. Equal weights over such
losses match elaborate schemes (Kurin et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from jobsentinel_workers.multi_task.calibration import HIGH_QUANTILE, LOW_QUANTILE
from jobsentinel_workers.multi_task.tasks import Task, TaskType

QUANTILES = (LOW_QUANTILE, 0.5, HIGH_QUANTILE)
ClassWeights = Literal["sqrt", "balanced", "none"]
FloatArray = npt.NDArray[np.float64]
RawLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class TaskLoss:
    """The loss of one task.

    Attributes:
        raw: from outputs (n, d) and targets (n,) or (n, c) without NaN to their mean loss.
        centre: taken from a value's targets before they are learnt.
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
        if known.ndim > 1:
            known = known.all(dim=1)
        if not known.any():
            return None
        standardised = (targets[known] - self.centre) / self.unit
        return self.raw(outputs[known], standardised) / self.constant_loss


def make_loss(task: Task, targets: FloatArray, class_weights: ClassWeights = "sqrt") -> TaskLoss:
    """Return the loss of ``task``, weighted and scaled by its training targets (NaN allowed).

    ``sqrt`` weighs a class by the root of its rarity, so that rare ones are heard without drowning
    the common ones; ``balanced`` by its rarity itself.
    """
    known = targets[known_rows(targets)]
    match task.type:
        case TaskType.CLASSIFICATION:
            return _classification_loss(task, known, class_weights)
        case TaskType.MULTILABEL:
            return _multilabel_loss(known)
        case TaskType.BINARY:
            return _binary_loss(known, class_weights)
        case TaskType.QUANTILE:
            return _quantile_loss(known)
        case TaskType.REGRESSION:
            return _value_loss(task, known)


def known_rows(targets: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which rows of (n,) or (n, c) targets have a label, as (n,)."""
    known: npt.NDArray[np.bool_] = ~np.isnan(targets)
    return known if known.ndim == 1 else np.logical_and.reduce(known, axis=1)


def _rarity_weights(
    counts: npt.NDArray[np.int64], class_weights: ClassWeights
) -> npt.NDArray[np.float64]:
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[class_weights]
    weights = (counts.sum() / np.maximum(counts, 1)) ** power
    return np.where(counts > 0, weights / weights[counts > 0].mean(), 0.0)


def _classification_loss(task: Task, known: FloatArray, class_weights: ClassWeights) -> TaskLoss:
    counts = np.bincount(known.astype(np.int64), minlength=len(task.classes))
    weights = torch.tensor(_rarity_weights(counts, class_weights), dtype=torch.float32)
    prior = counts[counts > 0] / counts.sum()
    cross_entropy = nn.CrossEntropyLoss(weights)

    def raw(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = cross_entropy.to(outputs.device)(outputs, targets.long())
        return loss

    return TaskLoss(raw, 0.0, 1.0, _at_least_a_little(-(prior * np.log(prior)).sum()))


def _multilabel_loss(known: FloatArray) -> TaskLoss:
    rates = known.mean(axis=0)
    return TaskLoss(
        nn.functional.binary_cross_entropy_with_logits,
        0.0,
        1.0,
        _at_least_a_little(float(_entropy(rates).mean())),
    )


def _binary_loss(known: FloatArray, class_weights: ClassWeights) -> TaskLoss:
    rate = known.mean()
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[class_weights]
    weight = torch.tensor(float(((1 - rate) / rate) ** power))

    def raw(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(
            outputs.squeeze(-1), targets, pos_weight=weight.to(outputs.device)
        )

    return TaskLoss(
        raw, 0.0, 1.0, _at_least_a_little(float(_entropy(known.mean(keepdims=True))[0]))
    )


def _entropy(rates: FloatArray) -> FloatArray:
    inside = np.clip(rates, 1e-12, 1 - 1e-12)
    entropies: FloatArray = -(inside * np.log(inside) + (1 - inside) * np.log(1 - inside))
    return entropies


def _quantile_loss(known: FloatArray) -> TaskLoss:
    centre, unit = _scale(known)
    standardised = torch.tensor((known - centre) / unit)
    constant = torch.quantile(standardised, torch.tensor(QUANTILES, dtype=torch.float64))
    cost = pinball_loss(constant.expand(len(known), 3), standardised)
    return TaskLoss(pinball_loss, centre, unit, _at_least_a_little(float(cost)))


_VALUE_LOSSES: dict[str, RawLoss] = {
    "huber": nn.functional.huber_loss,
    "absolute": nn.functional.l1_loss,
    "squared": nn.functional.mse_loss,
}


def _value_loss(task: Task, known: FloatArray) -> TaskLoss:
    centre, unit = _scale(known)
    measure = _VALUE_LOSSES[task.learns_by]

    def raw(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return measure(outputs.squeeze(-1), targets)

    standardised = torch.tensor((known - centre) / unit)
    # The mean and the median bracket the best constant of all three losses.
    constants = (standardised.mean(), standardised.median())
    cost = min(float(measure(c.expand(len(known)), standardised)) for c in constants)
    return TaskLoss(raw, centre, unit, _at_least_a_little(cost))


def _scale(known: FloatArray) -> tuple[float, float]:
    return float(known.mean()), float(known.std()) or 1.0


def pinball_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean pinball loss of (n, 3) P10, P50, P90 against (n,) targets.

    Source: Koenker and Bassett 1978.
    """
    levels = torch.tensor(QUANTILES, dtype=outputs.dtype, device=outputs.device)
    errors = targets.unsqueeze(1) - outputs
    return torch.maximum(levels * errors, (levels - 1) * errors).mean()


def _at_least_a_little(loss: float) -> float:
    return max(float(loss), 1e-3)
