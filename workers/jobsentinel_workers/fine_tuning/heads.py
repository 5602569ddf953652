"""What stands on top of the encoder: one linear layer, and how its output is read.

classification   logits (n, classes)            from the scaled embedding
regression       standardised value (n, 1)      from the scaled embedding
similarity       unit embedding (n, d)          projected only by the method ``head``
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from jobsentinel_workers.fine_tuning.config import FineTuningConfig


class LinearHead(nn.Module):
    """Classes or one value from unit embeddings (n, d).

    Embeddings of length 1 have entries near 1/sqrt(d); scaled to about 1, the same learning rates
    suit encoders of any width. Starting at zero, an untrained head favours nothing.
    """

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.linear = nn.Linear(width, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return (n, outputs)."""
        raw: torch.Tensor = self.linear(embeddings * self.scale)
        return raw


class ProjectionHead(nn.Module):
    """Moves unit embeddings (n, d) so that similar texts come closer; starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.linear.weight)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return unit embeddings (n, d)."""
        return functional.normalize(self.linear(embeddings), dim=-1)


def make_head(config: FineTuningConfig, width: int, classes: int) -> nn.Module:
    """Return the untrained head for a task and method."""
    if config.task == "classification":
        return LinearHead(width, classes)
    if config.task == "regression":
        return LinearHead(width, 1)
    return nn.Identity() if config.trains_encoder else ProjectionHead(width)


def task_loss(config: FineTuningConfig, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of head outputs against targets.

    Cross-entropy for classes (n,) int64; Huber for standardised values (n,), which a few wild
    salaries cannot dominate; squared error of the cosine for similarities (n,), where ``output``
    holds the first texts' embeddings and then the second texts' (2n, d).
    """
    if config.task == "classification":
        return functional.cross_entropy(output, target)
    if config.task == "regression":
        return functional.huber_loss(output.squeeze(-1), target)
    first, second = output.chunk(2)
    return functional.mse_loss((first * second).sum(dim=-1), target)
