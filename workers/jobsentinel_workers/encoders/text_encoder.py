"""Sentence embeddings: what search, the heads and sample selection all start from."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import torch

from jobsentinel_workers.encoders.loading import Backbone, load_backbone
from jobsentinel_workers.encoders.padding import PaddedBatch, pad_batch
from jobsentinel_workers.encoders.pooling import Pooler
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
        pooler: Pooler | None = None,
    ) -> None:
        self.backbone = backbone
        self.precision: Precision = precision
        self.device = torch.device(device)
        self.max_tokens = min(max_tokens, backbone.max_positions)
        self.pooler = pooler or Pooler(backbone.hidden_size, backbone.pooling)
        self.pooler.to(self.device)
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

    def with_pooler(self, pooler: Pooler) -> TextEncoder:
        """Return this encoder, its network shared, with ``pooler``; itself if it has the like."""
        if not pooler.queries and pooler.to_json() == self.pooler.to_json():
            return self
        other = copy(self)
        other.pooler = pooler.to(self.device)
        return other

    def plain(self) -> TextEncoder:
        """Return this encoder with nothing beside the text's own embedding."""
        return self.with_pooler(Pooler(self.backbone.hidden_size, self.pooler.text))

    @property
    def output_dim(self) -> int:
        """How many numbers a text gets."""
        return self.pooler.output_dim

    @property
    def text_model_id(self) -> str:
        """The model_id that this encoder has with nothing beside the text's own embedding."""
        cut = f"{self.backbone.name}@{self.revision}-{self.max_tokens}t"
        return cut if self.pooler.text == self.backbone.pooling else f"{cut}-{self.pooler.text}"

    @property
    def model_id(self) -> str:
        """Name, weights, truncation and pooling: embeddings of one id are interchangeable."""
        if self.pooler.blocks == 1:
            return self.text_model_id
        return f"{self.text_model_id}-{self.pooler.name}"

    def prepare(self, inputs: Sequence[TextInput]) -> list[EncodedText]:
        """Return ``inputs`` tokenised and cut to ``max_tokens``.

        Raises:
            InvalidInput: a text is no string, or is empty once normalised.
        """
        return self.tokenizer.encode(inputs, titles=self.pooler.title)

    @torch.inference_mode()
    def compute(self, batch: Sequence[EncodedText]) -> FloatArray:
        """Return (n, output_dim) float32 embeddings of length 1, by one forward pass."""
        padded = pad_batch(batch, self.device, self.backbone.pad_id)
        embeddings: FloatArray = self.embed(padded).cpu().numpy()
        return embeddings

    def embed(self, padded: PaddedBatch) -> torch.Tensor:
        """Return (rows, output_dim) float32 embeddings of length 1, open to gradients."""
        pooled: torch.Tensor = self.pooler(padded.states(self.network))
        return pooled

    def text_embeddings(self, embeddings: FloatArray) -> FloatArray:
        """Return (n, d) embeddings of ``text_model_id`` out of (n, output_dim) of this encoder."""
        if self.pooler.blocks == 1:
            return embeddings
        return self.pooler.first_block(torch.from_numpy(embeddings)).numpy()
