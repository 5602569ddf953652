"""A runner that remembers: texts that several steps of a build share are embedded once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from jobsentinel.contract.text import content_hash
from jobsentinel_workers.encoders import FloatArray, SequenceModel, TextInput, run_directly

DEFAULT_CACHE = Path(tempfile.gettempdir()) / "jobsentinel-starter-embeddings"
TEXTS_A_SAVE = 4_000


class EmbeddingMemo:
    """A Runner over one encoder that keeps embeddings in memory and in ``folder``."""

    def __init__(self, folder: Path, encoder: SequenceModel) -> None:
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
        """Return (n, d) embeddings of ``inputs``, computing those not seen before."""
        keys = [content_hash(str(text)) for text in inputs]
        new = {key: text for key, text in zip(keys, inputs, strict=True) if key not in self._rows}
        if new:
            self._rows.update(zip(new, run_directly(model, list(new.values())), strict=True))
            self._unsaved += len(new)
        if self._unsaved >= TEXTS_A_SAVE:
            self.save()
        if not keys:
            return np.zeros((0, model.output_dim), dtype=np.float32)
        return np.stack([self._rows[key] for key in keys])

    def save(self) -> None:
        """Write all embeddings to the folder."""
        self._vectors_file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"embeddings": np.stack(list(self._rows.values()))}, self._vectors_file)
        self._keys_file.write_text(json.dumps(list(self._rows)))
        self._unsaved = 0
