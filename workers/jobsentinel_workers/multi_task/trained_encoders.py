"""What each method trains of an encoder, and where its forward pass starts.

    full    all weights, from the token ids
    lora    low-rank adapters beside all linear layers, from the token ids
    top2    the last two layers, from what the frozen ones gave for each text

Each works on an fp32 copy of the network, because steps of 1e-5 vanish in bfloat16's three digits
and because a run that ends early shall leave the model as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from jobsentinel_workers.encoders import (
    EncodedText,
    PaddedBatch,
    Pooler,
    Precision,
    TextEncoder,
    TokenStates,
    pad_batch,
)
from jobsentinel_workers.encoders.adapters import add_adapters, remove_adapters
from jobsentinel_workers.encoders.layers import SplitNetwork
from jobsentinel_workers.encoders.padding import title_ends
from jobsentinel_workers.multi_task.hidden_states import HiddenStates
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.schedule import Method

TOP_LAYERS = 2
ADAPTER_RANK = 8
ADAPTER_ALPHA = 16.0


class TrainedEncoder:
    """All weights of a copy of ``encoder``, over texts given by position: the method ``full``.

    Attributes:
        weights: what is trained, by name.
        lengths: of the texts, in tokens.
        share_of_run: how much of a run goes by in `prepare`.
    """

    share_of_run = 0.0

    def __init__(
        self, encoder: TextEncoder, texts: Sequence[EncodedText], precision: Precision
    ) -> None:
        self.network = copy.deepcopy(encoder.network).float().eval()
        self.pooler = copy.deepcopy(encoder.pooler)
        self.lengths = [len(text) for text in texts]
        self._encoder = encoder
        self._texts = texts
        self._precision = precision
        self.weights = self._choose_weights()

    def _choose_weights(self) -> dict[str, nn.Parameter]:
        self.network.requires_grad_(True)
        return dict(self.network.named_parameters())

    def prepare(self, before_chunk: Callable[[float], None]) -> None:
        """Compute what all steps share; ``before_chunk`` hears the share done and may raise."""

    def embed(self, rows: Sequence[int]) -> torch.Tensor:
        """Return (n, d) float32 embeddings of length 1, open to gradients."""
        with self._arithmetic():
            pooled: torch.Tensor = self.pooler(self._states_of(rows))
            return pooled

    def _states_of(self, rows: Sequence[int]) -> TokenStates:
        return self._pad(rows).states(self.network)

    def set_training(self, on: bool) -> None:
        """Turn dropout on or off in what is trained."""
        self.network.train(on)

    def finish(self) -> nn.Module:
        """Return the network, trained, as an ordinary one."""
        return self.network.eval().requires_grad_(False)

    def _pad(self, rows: Sequence[int]) -> PaddedBatch:
        encoder = self._encoder
        texts = [self._texts[row] for row in rows]
        return pad_batch(texts, encoder.device, encoder.backbone.pad_id)

    def _arithmetic(self) -> AbstractContextManager[object]:
        """Multiply in bf16 where that was chosen; weights and their changes stay fp32."""
        device, enabled = self._encoder.device.type, self._precision == "bf16"
        return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)


class AdaptedEncoder(TrainedEncoder):
    """Low-rank adapters beside all linear layers of a frozen copy: the method ``lora``."""

    def _choose_weights(self) -> dict[str, nn.Parameter]:
        add_adapters(self.network, rank=ADAPTER_RANK, alpha=ADAPTER_ALPHA)
        self.network.to(self._encoder.device)
        named = self.network.named_parameters()
        return {name: weight for name, weight in named if weight.requires_grad}

    def finish(self) -> nn.Module:
        remove_adapters(self.network)
        return super().finish()


class UpperEncoder(TrainedEncoder):
    """The last two layers of a copy, over states that the others gave once: the method ``top2``.

    Args:
        folder: where the states are kept for the next attempt; None for a temporary one.
    """

    share_of_run = 0.3

    def __init__(
        self,
        encoder: TextEncoder,
        texts: Sequence[EncodedText],
        precision: Precision,
        folder: Path | None,
    ) -> None:
        super().__init__(encoder, texts, precision)
        self._temporary: TemporaryDirectory[str] | None = None
        if folder is None:
            self._temporary = TemporaryDirectory()
            folder = Path(self._temporary.name)
        width = encoder.backbone.hidden_size
        key = (encoder.model_id, precision, f"below the last {TOP_LAYERS} layers")
        self._states = HiddenStates(texts, width, folder / "hidden-states", key)

    def _choose_weights(self) -> dict[str, nn.Parameter]:
        self.network.requires_grad_(False)
        by_length = sorted(range(len(self.lengths)), key=self.lengths.__getitem__)
        # Of different lengths where there are any, so that the sample holds padding.
        self._split = SplitNetwork(
            self.network, TOP_LAYERS, self._pad(sorted({by_length[0], by_length[-1]}))
        )
        chosen = {id(weight) for layer in self._split.layers for weight in layer.parameters()}
        weights = {n: w for n, w in self.network.named_parameters() if id(w) in chosen}
        for weight in weights.values():
            weight.requires_grad_(True)
        return weights

    def prepare(self, before_chunk: Callable[[float], None]) -> None:
        """Compute the states that the folder does not hold yet."""
        encoder = self._encoder
        self._states.compute(self._lower, encoder.device, encoder.backbone.pad_id, before_chunk)

    @torch.no_grad()
    def _lower(self, padded: PaddedBatch) -> torch.Tensor:
        with self._arithmetic():
            return self._split.lower(padded)

    def _states_of(self, rows: Sequence[int]) -> TokenStates:
        states, mask = self._states.padded(rows)
        device = self._encoder.device
        mask = None if mask is None else mask.to(device)
        ends = title_ends([self._texts[row] for row in rows], device)
        return TokenStates(self._split.upper(states.to(device), mask), mask, ends)

    def set_training(self, on: bool) -> None:
        for layer in self._split.layers:
            layer.train(on)

    def finish(self) -> nn.Module:
        if self._temporary is not None:
            self._temporary.cleanup()
        return super().finish()


def make_trained_encoder(
    method: Method,
    encoder: TextEncoder,
    texts: Sequence[EncodedText],
    precision: Precision,
    folder: Path | None,
) -> TrainedEncoder:
    """Return what ``method`` trains of a copy of ``encoder``, over ``texts``.

    Raises:
        ModelUnavailable: the encoder has no layers that can be trained by themselves.
    """
    if method == "top2":
        return UpperEncoder(encoder, texts, precision, folder)
    return {"full": TrainedEncoder, "lora": AdaptedEncoder}[method](encoder, texts, precision)


def put_encoder(model: MultiTaskBERT, network: nn.Module, pooler: Pooler) -> None:
    """Give ``model`` an encoder of its own; what fitted the old one is silenced.

    Other models that share the old encoder keep it.
    """
    old = model.encoder
    encoder = TextEncoder(
        replace(old.backbone, network=network),
        precision=old.precision,
        max_tokens=old.max_tokens,
        device=old.device,
        pooler=pooler,
    )
    encoder.revision = _hash_weights(encoder.network)
    model.encoder, model.network = encoder, encoder.network
    model.encoder_changed = True
    model.calibrations.clear()
    model.joined_calibrations.clear()
    model.word_networks.clear()
    model.pair_scorer.trained = False


def _hash_weights(network: nn.Module) -> str:
    digest = sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]
