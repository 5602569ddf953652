"""One optimiser step: which weights of a model move, how fast, and against what."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

import torch
from torch import nn

from jobsentinel_workers.encoders.adapters import AdaptedLinear
from jobsentinel_workers.encoders.layers import top_layers
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.heads import task_loss
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.trained_weights import MAX_GRADIENT_NORM, TrainedWeights

HEAD_SPEEDS: Final = MappingProxyType({"top2": 20.0, "full": 20.0, "lora": 2.0})
"""A new head over a pretrained encoder learns this many times faster than the encoder does;
adapters are new as well."""
TOP_LAYERS: Final = 2


class Learner:
    """The trained weights of a model, and its steps over embeddings."""

    def __init__(self, model: FineTunedBERT, config: FineTuningConfig) -> None:
        self.model = model
        self.config = config
        self.layers = trained_layers(model)
        weights = dict(_named_weights(model, self.layers))
        self.trained = TrainedWeights(weights, self._rate_of, config.weight_decay)

    def loss(self, embeddings: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of a batch of embeddings (n, d), open to gradients."""
        return task_loss(self.config, self.model.head(embeddings), targets)

    def move(self, loss: torch.Tensor) -> None:
        """Move the weights by one step against the gradient of ``loss``."""
        self.trained.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        nn.utils.clip_grad_norm_(list(self.trained.weights.values()), MAX_GRADIENT_NORM)
        self.trained.optimiser.step()

    def set_training(self, training: bool) -> None:
        """Turn dropout on in the trained layers only: frozen ones give fixed features."""
        self.model.head.train(training)
        for layer in self.layers:
            layer.train(training)

    def _rate_of(self, name: str) -> float:
        rate = self.config.schedule.learning_rate
        faster = self.config.trains_encoder and name.startswith("head.")
        return rate * HEAD_SPEEDS[self.config.method] if faster else rate


def trained_layers(model: FineTunedBERT) -> list[nn.Module]:
    """Return the encoder's modules that the method trains."""
    network = model.encoder.network
    if model.config.method == "head":
        return []
    if model.config.method in {"full", "lora"}:
        return [network]
    return top_layers(network, TOP_LAYERS)


def _named_weights(
    model: FineTunedBERT, layers: list[nn.Module]
) -> Iterator[tuple[str, nn.Parameter]]:
    for name, weight in model.head.named_parameters():
        yield f"head.{name}", weight
    chosen = _chosen(model, layers)
    for name, weight in model.encoder.network.named_parameters():
        weight.requires_grad_(False)
        if id(weight) in chosen:
            yield f"encoder.{name}", weight


def _chosen(model: FineTunedBERT, layers: list[nn.Module]) -> set[int]:
    if model.config.method == "lora":
        adapted = [m for m in model.encoder.network.modules() if isinstance(m, AdaptedLinear)]
        return {id(weight) for layer in adapted for weight in layer.parameters(recurse=False)}
    return {id(weight) for layer in layers for weight in layer.parameters()}
