"""A runner that remembers: texts that several steps of a build share are embedded once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.encoders import (
    FloatArray,
    SequenceModel,
    TextEncoder,
    TextInput,
    run_directly,
)

DEFAULT_CACHE = Path(tempfile.gettempdir()) / "jobsentinel-starter-embeddings"
TEXTS_A_SAVE = 4_000


class EmbeddingMemo:
    """A Runner over one encoder that keeps embeddings in memory and in ``folder``.

    Asked for the encoder's plain embeddings, it takes them out of those that it has.
    """

    def __init__(self, folder: Path, encoder: TextEncoder) -> None:
        self._encoder = encoder
        stem = f"{encoder.model_id}-{encoder.precision}".replace("/", "_")
        self._file = folder / f"{stem}.safetensors"
        self._unsaved = 0
        self._rows: dict[str, FloatArray] = {}
        if self._file.is_file():
            stored = load_file(self._file)
            keys = (key.tobytes().decode("ascii") for key in stored["keys"])
            self._rows = dict(zip(keys, stored["embeddings"], strict=True))

    def __call__(self, model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
        """Return (n, model.output_dim) embeddings, computing those not seen before.

        Raises:
            InvalidInput: ``model`` is another encoder.
        """
        plain = model.model_id == self._encoder.text_model_id
        if not plain and model.model_id != self._encoder.model_id:
            raise InvalidInput("model", f"is {model.model_id}, not {self._encoder.model_id}")
        keys = [content_hash(str(text)) for text in inputs]
        new = {key: text for key, text in zip(keys, inputs, strict=True) if key not in self._rows}
        if new:
            self._rows.update(
                zip(new, run_directly(self._encoder, list(new.values())), strict=True)
            )
            self._unsaved += len(new)
        if self._unsaved >= TEXTS_A_SAVE:
            self.save()
        if not keys:
            return np.zeros((0, model.output_dim), dtype=np.float32)
        rows = np.stack([self._rows[key] for key in keys])
        return self._encoder.text_embeddings(rows) if plain else rows

    def save(self) -> None:
        """Write all embeddings to the folder: the file there is the old one or the new one."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        keys = np.array([list(key.encode("ascii")) for key in self._rows], dtype=np.uint8)
        temporary = self._file.with_suffix(f".{os.getpid()}.tmp")
        save_file({"keys": keys, "embeddings": np.stack(list(self._rows.values()))}, temporary)
        temporary.replace(self._file)
        self._unsaved = 0
