"""The weights that a run moves, with AdamW over them: what steps change and checkpoints keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import nn

from jobsentinel_workers.fine_tuning.learning_rate import rate_factor
from jobsentinel_workers.fine_tuning.optimiser_state import (
    get_optimiser_state,
    put_optimiser_state,
)

Tensors = dict[str, torch.Tensor]

MAX_GRADIENT_NORM: Final = 1.0


class TrainedWeights:
    """Weights by name with AdamW over them (Loshchilov and Hutter 2019, arXiv 1711.05101).

    The learning rate rises over the first tenth of the steps and then falls to zero; it depends on
    the step alone, so a resumed run goes on with the same one. Vectors are not decayed.

    Args:
        rate_of: the learning rate of a weight by its name.
    """

    def __init__(
        self,
        weights: Mapping[str, nn.Parameter],
        rate_of: Callable[[str], float],
        weight_decay: float,
    ) -> None:
        self.weights = dict(weights)
        for weight in self.weights.values():
            weight.requires_grad_(True)
        self._rates = [rate_of(name) for name in self.weights]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [weight], "weight_decay": weight_decay * (weight.ndim > 1)}
                for weight in self.weights.values()
            ]
        )

    def set_rates(self, step: int, total_steps: int) -> None:
        """Set the learning rates of step ``step``, from 0."""
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * rate_factor(step, total_steps)

    def freeze(self) -> None:
        """Close the weights to gradients."""
        for weight in self.weights.values():
            weight.requires_grad_(False)

    def now(self) -> Tensors:
        """Return copies of the weights."""
        return {name: weight.detach().clone().cpu() for name, weight in self.weights.items()}

    @torch.no_grad()
    def put(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set the weights."""
        for name, weight in self.weights.items():
            weight.copy_(tensors[name])

    def optimiser_state(self) -> Tensors:
        """Return AdamW's moments and step counts, named ``weight:moment``."""
        return get_optimiser_state(self.optimiser, self.weights)

    def put_optimiser_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set what ``optimiser_state`` gave."""
        put_optimiser_state(self.optimiser, self.weights, tensors)
