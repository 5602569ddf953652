"""How the losses of several tasks become one number to descend.

A step may be computed in several batches. A batch then counts for a task by its share of the
step's labels of that task, so that the gradient is that of one batch of all rows. (With class
weights, a classification's mean is weighted within each batch, and the two differ slightly.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn

Weighting = Literal["equal", "uncertainty"]
WEIGHTINGS: tuple[Weighting, ...] = ("equal", "uncertainty")
Losses = Mapping[str, torch.Tensor]


class EqualWeighting(nn.Module):
    """The sum of the losses times the weights that the tasks were given."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)

    def forward(self, losses: Losses, shares: Mapping[str, float]) -> torch.Tensor:
        """Return the sum over the tasks in ``losses``, at least one, each times its share."""
        parts = [self.weights[name] * shares[name] * loss for name, loss in losses.items()]
        return torch.stack(parts).sum()


class UncertaintyWeighting(EqualWeighting):
    """Weights that are learnt: ``exp(-s) loss + s / 2`` with one log-variance ``s`` a task.

    A task whose loss stays high gets a lower weight, and ``s / 2`` keeps weights from falling to
    nothing (Kendall, Gal and Cipolla 2018). A task without labels moves neither. The log-variances
    start at 0, where the weights are the equal ones.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__(weights)
        self.log_variances = nn.ParameterDict({name: torch.zeros(()) for name in weights})

    def forward(self, losses: Losses, shares: Mapping[str, float]) -> torch.Tensor:
        """Return the sum over the tasks in ``losses``, at least one, each times its share."""
        terms = {name: self._term(name, loss) for name, loss in losses.items()}
        return super().forward(terms, shares)

    def _term(self, name: str, loss: torch.Tensor) -> torch.Tensor:
        log_variance: torch.Tensor = self.log_variances[name]
        return torch.exp(-log_variance) * loss + log_variance / 2


def make_weighting(kind: Weighting, weights: Mapping[str, float]) -> EqualWeighting:
    """Return the weighting of the name ``kind`` over tasks with fixed ``weights``."""
    return UncertaintyWeighting(weights) if kind == "uncertainty" else EqualWeighting(weights)
