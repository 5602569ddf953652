"""Embeddings by content: what was encoded once is read from the store, the rest is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from jobsentinel.contract.text import content_hash
from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel
from jobsentinel_workers.store import Database, embeddings
from jobsentinel_workers.store.stored_vectors import expect_dimensions


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors in the order of the texts asked for, and those that the store does not have yet."""

    vectors: FloatArray
    hashes: list[str]
    new: dict[str, FloatArray]
    encoder_id: str

    def save(self, connection: Connection) -> None:
        """Keep the new vectors; what another job stored meanwhile is left as it is."""
        embeddings.put_many(connection, self.encoder_id, self.new)


def embed(
    database: Database, encoder: SequenceModel, texts: Sequence[str], runner: Runner
) -> Embedded:
    """Return (n, d) float32 embeddings of ``texts``, each distinct text encoded at most once.

    Raises:
        CorruptVector: a stored one is damaged, or not as wide as the encoder makes them.
    """
    hashes = [content_hash(text) for text in texts]
    with database.connect() as connection:
        known = embeddings.get_many(connection, encoder.model_id, set(hashes))
    expect_dimensions(known, encoder.output_dim, encoder.model_id)
    missing = {key: text for key, text in zip(hashes, texts, strict=True) if key not in known}
    new: dict[str, FloatArray] = {}
    if missing:
        new = dict(zip(missing, runner(encoder, list(missing.values())), strict=True))
    found = {**known, **new}
    vectors = np.zeros((len(texts), encoder.output_dim), dtype=np.float32)
    for row, key in enumerate(hashes):
        vectors[row] = found[key]
    return Embedded(vectors, hashes, new, encoder.model_id)
