"""A fine-tuned encoder with its head: a SequenceModel, and predictions from it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.encoders import (
    EncodedText,
    FloatArray,
    Precision,
    Runner,
    TextEncoder,
    TextInput,
    run_directly,
)
from jobsentinel_workers.encoders.adapters import adapter_state, add_adapters, remove_adapters
from jobsentinel_workers.fine_tuning import storage
from jobsentinel_workers.fine_tuning.adapter import ADAPTER_ALPHA, ADAPTER_RANK, Adapter
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.heads import make_head
from jobsentinel_workers.fine_tuning.targets import Targets


class FineTunedBERT:
    """An encoder with a head for one task.

    It answers once it is trained or loaded. ``compute`` gives logits (n, classes), a value in the
    unit of the training rows (n, 1), or a unit embedding (n, d).

    Args:
        encoder: may be shared: training that changes an encoder changes a copy.
    """

    def __init__(self, config: FineTuningConfig, encoder: TextEncoder | None = None) -> None:
        if config.task == "reranker":
            raise InvalidInput("task", "must not be reranker, whose model reads pairs")
        self.config = config
        self.encoder = encoder or TextEncoder.load(
            config.base_encoder, config.precision, config.max_tokens
        )
        self.encoder_changed = False
        self.adapter: Adapter | None = None
        self.targets: Targets | None = None
        self.head: nn.Module = nn.Identity()

    def begin(self, targets: Targets) -> None:
        """Put an untrained head for ``targets`` on the encoder; training goes on from there."""
        self.head = make_head(self.config, self.encoder.output_dim, len(targets.classes))
        self.head.to(self.encoder.device)
        self.targets = targets

    def take_own_encoder(self) -> None:
        """Replace the encoder with a copy that training may change; put adapters beside its layers
        where these are what is trained.

        Its weights are fp32, because bf16 would round small updates away.
        """
        shared = self.encoder
        network = copy.deepcopy(shared.network).float()
        self.put_network(network)
        self.encoder.revision = shared.revision
        if self.config.method == "lora":
            add_adapters(network, rank=ADAPTER_RANK, alpha=ADAPTER_ALPHA)
            network.to(shared.device)

    def put_network(self, network: nn.Module) -> None:
        """Give the model an fp32 encoder of its own over ``network``."""
        shared = self.encoder
        self.encoder = TextEncoder(
            replace(shared.backbone, network=network),
            precision="fp32",
            max_tokens=shared.max_tokens,
            device=shared.device,
        )

    def finish_encoder(self) -> None:
        """Leave the encoder ready to answer: adapters folded in, and what changed noted."""
        if self.config.method == "lora":
            self._fold_adapters()
        if self.config.trains_encoder:
            self.note_encoder_change()

    def _fold_adapters(self) -> None:
        network = self.encoder.network
        state = {name: tensor.cpu().clone() for name, tensor in adapter_state(network).items()}
        remove_adapters(network)
        if not self.encoder_changed:
            # Over an encoder that is the model's own anyway, an adapter would save nothing.
            self.adapter = Adapter(ADAPTER_RANK, ADAPTER_ALPHA, state)

    def note_encoder_change(self) -> None:
        """Give the encoder a revision of its own, so that caches tell it from its base."""
        self.encoder_changed = True
        if self.adapter is None:
            self.encoder.revision = _hash_tensors(self.encoder.network.state_dict())
        else:
            base = self.encoder.backbone.sha256
            self.encoder.revision = _hash_tensors(self.adapter.tensors, base)

    @property
    def is_trained(self) -> bool:
        """Whether the model has a head that was trained."""
        return self.targets is not None

    @property
    def model_id(self) -> str:
        """A name that changes with any weight, of the encoder or of the head."""
        return f"{self.encoder.model_id}+{self._fingerprint()}"

    @property
    def precision(self) -> Precision:
        """The number format of the encoder's forward pass."""
        return self.encoder.precision

    @property
    def output_dim(self) -> int:
        """Classes, 1, or the width of an embedding."""
        if self.config.task == "similarity":
            return self.encoder.output_dim
        return max(1, len(self._trained_targets().classes))

    @property
    def max_tokens(self) -> int:
        """Texts are cut to so many tokens."""
        return self.encoder.max_tokens

    def prepare(self, inputs: Sequence[TextInput]) -> list[EncodedText]:
        """Return ``inputs`` tokenised; safe to call from several threads at once."""
        return self.encoder.prepare(inputs)

    def compute(self, batch: Sequence[EncodedText]) -> FloatArray:
        """Return (n, output_dim) float32 by one forward pass of encoder and head."""
        return self.outputs_from_embeddings(self.encoder.compute(batch))

    @torch.inference_mode()
    def outputs_from_embeddings(self, embeddings: FloatArray) -> FloatArray:
        """Return (n, output_dim) from (n, d) embeddings of this model's encoder: the head alone.

        Raises:
            ModelUnavailable: the model is not trained.
        """
        targets = self._trained_targets()
        rows = torch.from_numpy(np.ascontiguousarray(embeddings, dtype=np.float32))
        output = self.head(rows.to(self.encoder.device))
        if self.config.task == "regression":
            output = output * targets.std + targets.mean
        result: FloatArray = output.cpu().numpy()
        return result

    def predict_batch(
        self, texts: Sequence[TextInput], runner: Runner = run_directly
    ) -> list[dict[str, Any]]:
        """Return one answer a text, or a pair of texts for similarity.

        Classification: ``class``, ``probability`` and all ``probabilities`` by label. Regression:
        ``value``. Similarity: ``value`` from 0 to 1 for each pair.

        Raises:
            ModelUnavailable: the model is not trained.
            InvalidInput: an empty text, or one text where two are compared.
        """
        self._trained_targets()
        if not texts:
            return []
        if self.config.task == "similarity":
            return self._compare(texts, runner)
        return self.to_answers(runner(self, texts))

    def to_answers(self, outputs: FloatArray) -> list[dict[str, Any]]:
        """Return the answers that (n, output_dim) logits or values stand for."""
        targets = self._trained_targets()
        if self.config.task == "regression":
            return [{"value": float(value)} for value in outputs[:, 0]]
        return [_class_answer(row, targets.classes) for row in _softmax(outputs)]

    def save(self, directory: Path | str) -> Path:
        """Write what is needed to load the model again into ``directory``; return it.

        The encoder is written only if training changed its weights; else its name and SHA-256
        are, and with the method ``lora`` the adapter.

        Raises:
            ModelUnavailable: the model is not trained.
        """
        return storage.save(self, Path(directory))

    @classmethod
    def load(
        cls, directory: Path | str, encoder: TextEncoder | None = None, precision: str = "auto"
    ) -> Self:
        """Return the model in ``directory``; ``encoder`` is shared where it has the same weights.

        Raises:
            ModelUnavailable: the folder holds no such model, or its encoder cannot be found.
        """
        return storage.load(cls, Path(directory), encoder, precision)

    def _compare(self, pairs: Sequence[TextInput], runner: Runner) -> list[dict[str, Any]]:
        for at, pair in enumerate(pairs):
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise InvalidInput(f"texts.{at}", "must be a pair of texts to compare")
        flat = [text for pair in pairs for text in pair]
        embeddings = runner(self, flat)
        cosines = (embeddings[0::2] * embeddings[1::2]).sum(axis=1)
        return [{"value": float(value)} for value in np.clip(cosines, 0.0, 1.0)]

    def _trained_targets(self) -> Targets:
        if self.targets is None:
            raise ModelUnavailable("the model is not trained yet: fine-tune it or load one")
        return self.targets

    def _fingerprint(self) -> str:
        return _hash_tensors(self.head.state_dict(), repr((self.config.task, self.targets)))


def _hash_tensors(tensors: Mapping[str, torch.Tensor], start: str = "") -> str:
    digest = hashlib.sha256(start.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _class_answer(probabilities: FloatArray, classes: tuple[str, ...]) -> dict[str, Any]:
    best = int(probabilities.argmax())
    return {
        "class": classes[best],
        "probability": float(probabilities[best]),
        "probabilities": dict(zip(classes, map(float, probabilities), strict=True)),
    }
