"""An encoder in two parts: lower layers that stay as they are, upper ones that are trained.

Both parts are the encoder's own network with some modules replaced, so masks, position biases and
final norms are made by the code that makes them in the whole. They share its weights: training the
upper part trains the network it was taken from.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders.padding import PaddedBatch

MAX_DIFFERENCE = 1e-3
"""By how much a hidden state of the two parts may differ from one of the whole, in fp32."""


def top_layers(network: nn.Module, count: int) -> list[nn.Module]:
    """Return the last ``count`` layers of an encoder.

    Raises:
        ModelUnavailable: the network has no stack of so many layers.
    """
    layers = _layer_stack(network)
    if len(layers) < count:
        raise ModelUnavailable(
            f"the encoder has no {count} layers to train by themselves: train its head or all of it"
        )
    return layers[-count:]


def _layer_stack(network: nn.Module) -> list[nn.Module]:
    stacks = [module for module in network.modules() if isinstance(module, nn.ModuleList)]
    return max((list(stack) for stack in stacks), key=len, default=[])


class SplitNetwork:
    """``network`` in two: what lies below its last ``count`` layers, and these with what follows.

    Args:
        sample: a batch on which both parts together must give what the whole gives.

    Raises:
        ModelUnavailable: the network cannot be split, or the parts do not give what the whole does.
    """

    def __init__(self, network: nn.Module, count: int, sample: PaddedBatch) -> None:
        self.layers = top_layers(network, count)
        embeddings = getattr(network, "embeddings", None)
        if not isinstance(embeddings, nn.Module):
            raise ModelUnavailable("the encoder has no embeddings apart from its layers")
        first, *others = self.layers
        values = _values_a_layer_returns(network, first, sample)
        self._end = _Keep(first, values)
        self._lower = _replaced(
            network, {first: self._end, **{layer: _Skip(layer, values) for layer in others}}
        )
        below = {layer: _Skip(layer, values) for layer in _layer_stack(network)[:-count]}
        same = {layer: layer for layer in self.layers}
        self._upper = _replaced(network, {embeddings: _Skip(embeddings), **below, **same})
        self._check(network, sample)

    def lower(self, padded: PaddedBatch) -> torch.Tensor:
        """Return the hidden states that the upper part reads, (rows, tokens, width)."""
        padded.run(self._lower)
        return self._end.states

    def upper(self, states: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Return the last hidden states, (rows, tokens, width), from those of the lower part."""
        masks = {} if attention_mask is None else {"attention_mask": attention_mask}
        hidden: torch.Tensor = self._upper(inputs_embeds=states, **masks).last_hidden_state
        return hidden

    @torch.no_grad()
    def _check(self, network: nn.Module, sample: PaddedBatch) -> None:
        mask = sample.attention_mask
        real = slice(None) if mask is None else mask.bool()
        whole = sample.run(network)[real]
        try:
            parts = self.upper(self.lower(sample), mask)[real]
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            # Whatever an architecture of another kind stumbles over: it says where, and is refused.
            raise ModelUnavailable(f"the encoder cannot be split: {error!r}") from error
        if not torch.allclose(parts, whole, atol=MAX_DIFFERENCE, rtol=MAX_DIFFERENCE):
            raise ModelUnavailable(
                "the last layers of the encoder give other numbers when they run by themselves"
            )


@torch.no_grad()
def _values_a_layer_returns(network: nn.Module, layer: nn.Module, sample: PaddedBatch) -> int:
    """Return how long a tuple ``layer`` returns, 0 for the states alone."""
    found: list[Any] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: found.append(output))
    try:
        sample.run(network)
    finally:
        hook.remove()
    return len(found[0]) if isinstance(found[0], tuple) else 0


def _replaced(network: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """Return a copy of ``network`` over the same weights, with modules replaced."""
    weights = [*network.parameters(), *network.buffers()]
    # What a deep copy finds in its memory it takes from there instead of copying it.
    memory: dict[int, Any] = {id(weight): weight for weight in weights}
    memory.update((id(old), new) for old, new in replacements.items())
    return copy.deepcopy(network, memory)


class _Skip(nn.Module):
    """Stands in for a module, hands on the states it is given, and has its other attributes."""

    def __init__(self, replaced: nn.Module, values: int = 0) -> None:
        super().__init__()
        # In a list, lest its weights count as this module's.
        self.replaced = [replaced]
        self.values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["replaced"][0], name)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        states = _states(inputs, named)
        return (states, *[None] * (self.values - 1)) if self.values else states


class _Keep(_Skip):
    """The same, and keeps the states."""

    states: torch.Tensor

    def forward(self, *inputs: Any, **named: Any) -> Any:
        self.states = _states(inputs, named)
        return super().forward(*inputs, **named)


def _states(inputs: tuple[Any, ...], named: Mapping[str, Any]) -> torch.Tensor:
    # Architectures name and order their arguments differently; states are the first real numbers.
    for value in (*inputs, *named.values()):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return value
    raise ModelUnavailable("the encoder hands no hidden states to its layers")
