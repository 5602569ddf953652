"""Our encoders inside sentence-transformers' models: same tokens, same pooling, same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from sentence_transformers.base.modules import InputModule

from jobsentinel_workers.encoders import PaddedBatch, SequenceModel, pad_batch

Features = dict[str, Any]
Forward = Callable[[PaddedBatch], torch.Tensor]
SetTraining = Callable[[bool], object]


class EngineModule(InputModule):
    """A network of ours as the one module of a library model.

    Args:
        network: whose weights are trained.
        prepare: turns texts, or pairs of texts, into tokens.
        forward: from a padded batch to the output.
        output: the name under which the library looks for it.
        set_training: turns dropout on in what is trained, and nowhere else.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        model: SequenceModel,
        forward: Forward,
        *,
        output: str,
        set_training: SetTraining,
        pad_id: int,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library leaves it unannotated
        self.network = network
        self._prepare = model.prepare
        self._forward = forward
        self._output = output
        self._set_training = set_training
        self._pad_id = pad_id

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> Features:
        """Return the tensors of a forward pass over texts, or pairs of texts."""
        padded = pad_batch(self._prepare(inputs), "cpu", self._pad_id)
        mask = padded.attention_mask
        ids = padded.input_ids
        features = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids) if mask is None else mask,
        }
        if padded.token_type_ids is not None:
            features["token_type_ids"] = padded.token_type_ids
        return features

    def forward(self, features: Features, **_: Any) -> Features:
        """Add the output to ``features``."""
        types = features.get("token_type_ids")
        padded = PaddedBatch(features["input_ids"], features["attention_mask"], types)
        return features | {self._output: self._forward(padded)}

    def train(self, mode: bool = True) -> Self:
        """Turn dropout on or off where it belongs."""
        self.training = mode
        self._set_training(mode)
        return self

    def save(self, *_: Any, **__: Any) -> None:
        """Nothing: the run writes its own checkpoints and models."""
