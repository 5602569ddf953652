"""What AdamW remembers between steps, as tensors that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


def get_optimiser_state(
    optimiser: torch.optim.Optimizer, weights: Mapping[str, nn.Parameter]
) -> Tensors:
    """Return AdamW's moments and step counts, named ``weight:moment``."""
    return {
        f"{name}:{key}": value.detach().clone().cpu()
        for name, weight in weights.items()
        for key, value in optimiser.state[weight].items()
    }


def put_optimiser_state(
    optimiser: torch.optim.Optimizer,
    weights: Mapping[str, nn.Parameter],
    tensors: Mapping[str, torch.Tensor],
) -> None:
    """Set what `get_optimiser_state` gave."""
    for full_name, value in tensors.items():
        name, _, key = full_name.rpartition(":")
        weight = weights[name]
        # AdamW keeps its step counts on the CPU, its moments beside the weights.
        place = "cpu" if key == "step" else weight.device
        optimiser.state[weight][key] = value.to(place)
