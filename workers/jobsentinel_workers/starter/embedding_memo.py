"""A runner that remembers: texts that several steps of a build share are embedded once."""

from __future__ import annotations

import json
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
        self._vectors_file = folder / f"{stem}.safetensors"
        self._keys_file = folder / f"{stem}.json"
        self._unsaved = 0
        self._rows: dict[str, FloatArray] = {}
        if self._keys_file.is_file():
            vectors = load_file(self._vectors_file)["embeddings"]
            keys = json.loads(self._keys_file.read_text())
            self._rows = dict(zip(keys, vectors, strict=True))

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
        """Write all embeddings to the folder."""
        self._vectors_file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"embeddings": np.stack(list(self._rows.values()))}, self._vectors_file)
        self._keys_file.write_text(json.dumps(list(self._rows)))
        self._unsaved = 0
