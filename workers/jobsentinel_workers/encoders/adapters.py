"""Low-rank adapters: a few trained numbers beside frozen linear layers.

A linear layer ``W x`` becomes ``W x + (alpha / rank) B (A x)`` with A and B small (Hu et al. 2021,
"LoRA"). B starts at zero, so training starts from the frozen network. For serving, the product is
folded into W, and the adapter costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import nn


class AdaptedLinear(nn.Module):
    """A frozen linear layer with a low-rank adapter beside it."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return (..., out_features)."""
        correction = nn.functional.linear(nn.functional.linear(hidden, self.down), self.up)
        output: torch.Tensor = self.base(hidden) + self.scale * correction
        return output


def add_adapters(network: nn.Module, *, rank: int, alpha: float, first_layer: int = 0) -> list[str]:
    """Freeze ``network``, put adapters beside its linear layers, return those layers' names.

    Blocks below ``first_layer`` get none: gradients then stop there, which saves time.
    """
    network.requires_grad_(False)
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and _block(name) >= first_layer
    ]
    for name in names:
        parent, attribute = _locate(network, name)
        setattr(parent, attribute, AdaptedLinear(getattr(parent, attribute), rank, alpha))
    return names


def adapter_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the adapters' tensors by name: ``<layer>.down`` and ``<layer>.up``."""
    state: dict[str, torch.Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, AdaptedLinear):
            state[f"{name}.down"] = module.down.detach()
            state[f"{name}.up"] = module.up.detach()
    return state


@torch.no_grad()
def fill_adapters(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Put the tensors of ``state`` into the adapters of ``network``; others stay as they are."""
    for name, module in network.named_modules():
        if isinstance(module, AdaptedLinear) and f"{name}.up" in state:
            module.up.copy_(state[f"{name}.up"])
            module.down.copy_(state[f"{name}.down"])


@torch.no_grad()
def fold_adapters(
    network: nn.Module, state: dict[str, torch.Tensor], *, rank: int, alpha: float
) -> None:
    """Add the adapters in ``state`` into the weights of ``network``, in place.

    Raises:
        AttributeError: ``state`` names a layer that ``network`` does not have.
    """
    for name in layer_names(state):
        parent, attribute = _locate(network, name)
        update = state[f"{name}.up"] @ state[f"{name}.down"]
        getattr(parent, attribute).weight += (alpha / rank) * update


@torch.no_grad()
def remove_adapters(network: nn.Module) -> None:
    """Add each adapter into the layer it stands beside, and put that layer back in its place."""
    adapted = [(n, m) for n, m in network.named_modules() if isinstance(m, AdaptedLinear)]
    for name, module in adapted:
        module.base.weight += module.scale * (module.up @ module.down)
        parent, attribute = _locate(network, name)
        setattr(parent, attribute, module.base)


def layer_names(state: Iterable[str]) -> list[str]:
    """Return the names of the layers that the adapters in ``state`` stand beside."""
    return [key.removesuffix(".down") for key in state if key.endswith(".down")]


def _block(name: str) -> int:
    numbers = [int(part) for part in name.split(".") if part.isdigit()]
    return numbers[0] if numbers else 0


def _locate(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    parent, _, attribute = name.rpartition(".")
    return network.get_submodule(parent), attribute
