"""Sentence embeddings: what search, the heads and sample selection all start from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from jobsentinel_workers.encoders.loading import Backbone, load_backbone
from jobsentinel_workers.encoders.padding import PaddedBatch, pad_batch
from jobsentinel_workers.encoders.pooling import pool, to_unit_length
from jobsentinel_workers.encoders.precision import (
    DTYPES,
    Precision,
    choose_device,
    choose_precision,
)
from jobsentinel_workers.encoders.sequence_model import EncodedText, FloatArray, TextInput
from jobsentinel_workers.encoders.tokenizing import ThreadTokenizer

DEFAULT_MAX_TOKENS = 128


class TextEncoder:
    """Turns texts into embeddings of length 1; a SequenceModel.

    The network is public so that it can be trained; ``revision`` then tells its caches apart.

    Example:
        >>> encoder = TextEncoder.load()
        >>> encoder.compute(encoder.prepare(["Registered nurse, night shift"])).shape
        (1, 384)
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        precision: Precision = "fp32",
        max_tokens: int = DEFAULT_MAX_TOKENS,
        device: torch.device | str = "cpu",
    ) -> None:
        self.backbone = backbone
        self.precision: Precision = precision
        self.device = torch.device(device)
        self.max_tokens = min(max_tokens, backbone.max_positions)
        self.output_dim = backbone.hidden_size
        self.revision = backbone.sha256[:12]
        self.tokenizer = ThreadTokenizer(backbone.tokenizer_json, max_tokens=self.max_tokens)
        self.network = backbone.network.to(device=self.device, dtype=DTYPES[precision])

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        precision: str = "auto",
        max_tokens: int = DEFAULT_MAX_TOKENS,
        device: str = "auto",
    ) -> TextEncoder:
        """Return the encoder in the folder ``path``, by default the packaged MiniLM.

        Raises:
            ModelUnavailable: the folder holds no model that can be read.
            ModelCorrupted: the packaged weights differ from the published ones.
            ConfigurationError: ``precision`` is unknown.
        """
        return cls(
            load_backbone(path),
            precision=choose_precision(precision),
            max_tokens=max_tokens,
            device=choose_device(device),
        )

    @property
    def model_id(self) -> str:
        """Name, weights and truncation: embeddings with the same id are interchangeable."""
        return f"{self.backbone.name}@{self.revision}-{self.max_tokens}t"

    def prepare(self, inputs: Sequence[TextInput]) -> list[EncodedText]:
        """Return ``inputs`` tokenised and cut to ``max_tokens``.

        Raises:
            InvalidInput: a text is no string, or is empty once normalised.
        """
        return self.tokenizer.encode(inputs)

    @torch.inference_mode()
    def compute(self, batch: Sequence[EncodedText]) -> FloatArray:
        """Return (n, output_dim) float32 embeddings of length 1, by one forward pass."""
        padded = pad_batch(batch, self.device, self.backbone.pad_id)
        embeddings: FloatArray = self.embed(padded).cpu().numpy()
        return embeddings

    def embed(self, padded: PaddedBatch) -> torch.Tensor:
        """Return (rows, output_dim) float32 embeddings of length 1, open to gradients."""
        hidden = padded.run(self.network)
        return to_unit_length(pool(hidden, padded.attention_mask, self.backbone.pooling))
