"""From texts to the embeddings that the head is trained on: computed once, or anew at each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from safetensors.numpy import load_file, save

from jobsentinel_workers.encoders import EncodedText, TextEncoder, plan_batches, run_directly
from jobsentinel_workers.encoders.padding import pad_batch
from jobsentinel_workers.registry.durable_files import replace_file

CHUNK_TEXTS: Final = 256
MAX_TOKENS_A_BATCH: Final = 4_096

AfterChunk = Callable[[int], None]
"""Called with the number of texts done; may raise to stop."""


class Features(Protocol):
    """Embeddings of a list of texts by position."""

    def __call__(self, rows: Sequence[int]) -> torch.Tensor:
        """Return (len(rows), d) unit embeddings, open to gradients where the encoder is trained."""

    def everything(self) -> torch.Tensor:
        """Return (n, d) unit embeddings of all texts, without gradients."""


class FixedFeatures:
    """Embeddings of an encoder that does not change: (n, d), in memory."""

    def __init__(self, embeddings: torch.Tensor) -> None:
        self.embeddings = embeddings

    def __call__(self, rows: Sequence[int]) -> torch.Tensor:
        return self.embeddings[list(rows)]

    def everything(self) -> torch.Tensor:
        return self.embeddings


class LiveFeatures:
    """Embeddings of an encoder in training; the texts are tokenised once."""

    def __init__(self, encoder: TextEncoder, texts: Sequence[str]) -> None:
        self.encoder = encoder
        self.encoded = encoder.prepare(texts)

    def __call__(self, rows: Sequence[int]) -> torch.Tensor:
        return self._embed([self.encoded[row] for row in rows])

    @torch.no_grad()
    def everything(self) -> torch.Tensor:
        lengths = [len(text) for text in self.encoded]
        output = torch.empty(len(lengths), self.encoder.output_dim, device=self.encoder.device)
        for rows in plan_batches(lengths, max_tokens_a_batch=MAX_TOKENS_A_BATCH, max_rows=64):
            output[rows] = self(rows)
        return output

    def _embed(self, batch: Sequence[EncodedText]) -> torch.Tensor:
        padded = pad_batch(batch, self.encoder.device, self.encoder.backbone.pad_id)
        return self.encoder.embed(padded)


def embed_all(
    encoder: TextEncoder, texts: Sequence[str], cache: Path | None, after_chunk: AfterChunk
) -> torch.Tensor:
    """Return the embeddings (n, d) of ``texts``.

    With the folder ``cache``, finished chunks survive an interruption; it belongs to these texts
    and this encoder alone.
    """
    chunks = []
    for number, start in enumerate(range(0, len(texts), CHUNK_TEXTS)):
        chunk = texts[start : start + CHUNK_TEXTS]
        chunks.append(_embed_chunk(encoder, chunk, cache and cache / f"{number}.safetensors"))
        after_chunk(start + len(chunk))
    return torch.from_numpy(np.concatenate(chunks)).to(encoder.device)


def _embed_chunk(
    encoder: TextEncoder, texts: Sequence[str], file: Path | None
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if file is not None and file.exists():
        return load_file(file)["embeddings"]
    embeddings = run_directly(encoder, texts)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, save({"embeddings": embeddings}))
    return embeddings
