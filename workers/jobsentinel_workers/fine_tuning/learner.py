"""One optimiser step: which weights move, how fast, and their state for checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import torch
from torch import nn

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders.layers import top_layers
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.heads import task_loss
from jobsentinel_workers.fine_tuning.learning_rate import rate_factor
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.optimiser_state import (
    get_optimiser_state,
    put_optimiser_state,
)

Tensors = dict[str, torch.Tensor]

MAX_GRADIENT_NORM: Final = 1.0
HEAD_SPEED: Final = 20.0
"""A new head over a pretrained encoder learns this many times faster than the encoder."""
TOP_LAYERS: Final = 2


class Learner:
    """The trained weights of a model by name, with AdamW (Loshchilov and Hutter 2019) over them.

    The learning rate rises over the first tenth of the steps and then falls to zero; it depends on
    the step alone, so a resumed run goes on with the same one.
    """

    def __init__(self, model: FineTunedBERT, config: FineTuningConfig, total_steps: int) -> None:
        self.model = model
        self.config = config
        self.total_steps = total_steps
        self.layers = trained_layers(model)
        self.weights = dict(_named_weights(model, self.layers))
        for weight in self.weights.values():
            weight.requires_grad_(True)
        self._rates = [self._rate_of(name) for name in self.weights]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [weight], "weight_decay": config.weight_decay * (weight.ndim > 1)}
                for weight in self.weights.values()
            ]
        )

    def step(self, number: int, embeddings: torch.Tensor, targets: torch.Tensor) -> float:
        """Move the weights by one batch of embeddings (n, d); return the loss before the move.

        Raises:
            InvalidInput: the loss is no longer finite, because the learning rate is too high.
        """
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * rate_factor(number, self.total_steps)
        self.optimiser.zero_grad(set_to_none=True)
        loss = task_loss(self.config, self.model.head(embeddings), targets)
        value = float(loss.item())
        if not torch.isfinite(loss):
            raise InvalidInput("learning_rate", f"is too high: the loss was {value} at {number}")
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        nn.utils.clip_grad_norm_(list(self.weights.values()), MAX_GRADIENT_NORM)
        self.optimiser.step()
        return value

    def set_training(self, training: bool) -> None:
        """Turn dropout on in the trained layers only: frozen ones give fixed features."""
        self.model.head.train(training)
        for layer in self.layers:
            layer.train(training)

    def finish(self) -> None:
        """Leave the model ready to answer: no dropout, no gradients."""
        self.set_training(False)
        for weight in self.weights.values():
            weight.requires_grad_(False)

    def weights_now(self) -> Tensors:
        """Return copies of the trained weights."""
        return {name: weight.detach().clone().cpu() for name, weight in self.weights.items()}

    @torch.no_grad()
    def put_weights(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set the trained weights."""
        for name, weight in self.weights.items():
            weight.copy_(tensors[name])

    def optimiser_state(self) -> Tensors:
        """Return AdamW's moments and step counts, named ``weight:moment``."""
        return get_optimiser_state(self.optimiser, self.weights)

    def put_optimiser_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set what ``optimiser_state`` gave."""
        put_optimiser_state(self.optimiser, self.weights, tensors)

    def _rate_of(self, name: str) -> float:
        rate = self.config.schedule.learning_rate
        faster = self.config.trains_encoder and name.startswith("head.")
        return rate * HEAD_SPEED if faster else rate


def trained_layers(model: FineTunedBERT) -> list[nn.Module]:
    """Return the encoder's modules that the method trains."""
    network = model.encoder.network
    if model.config.method == "head":
        return []
    if model.config.method == "full":
        return [network]
    return top_layers(network, TOP_LAYERS)


def _named_weights(
    model: FineTunedBERT, layers: list[nn.Module]
) -> Iterator[tuple[str, nn.Parameter]]:
    for name, weight in model.head.named_parameters():
        yield f"head.{name}", weight
    chosen = {id(weight) for layer in layers for weight in layer.parameters()}
    for name, weight in model.encoder.network.named_parameters():
        weight.requires_grad_(False)
        if id(weight) in chosen:
            yield f"encoder.{name}", weight
