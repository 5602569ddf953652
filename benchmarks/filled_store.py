"""Stores filled without encoding: the speed of search does not depend on what vectors say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np
import numpy.typing as npt

from benchmarks.fleets import new_settings
from benchmarks.options import Options
from benchmarks.real_postings import varied
from jobsentinel import Posting, Settings
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.inference.facts import facts_of
from jobsentinel_workers.inference.scoring import model_text
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.store import Database, embeddings, posting_facts, postings

WIDTH = 384
ROWS_A_TRANSACTION = 2_000

Vectors = npt.NDArray[np.float32]


def random_vectors(count: int, seed: int = 0) -> Vectors:
    """Return (count, WIDTH) vectors of length 1."""
    drawn = np.random.default_rng(seed).standard_normal((count, WIDTH), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def fill(database: Database, encoder_id: str, sent: Iterable[Posting], vectors: Vectors) -> None:
    """Store as many postings as there are vectors (n, d), as `index` does, each with its own."""
    remaining = iter(sent)
    for start in range(0, len(vectors), ROWS_A_TRANSACTION):
        block = vectors[start : start + ROWS_A_TRANSACTION]
        batch = list(islice(remaining, len(block)))
        texts = [model_text(posting) for posting in batch]
        hashes = [content_hash(text) for text in texts]
        rows = [
            {**posting.model_dump(), "text": text, "content_hash": key}
            for posting, text, key in zip(batch, texts, hashes, strict=True)
        ]
        with database.begin() as connection:
            embeddings.put_many(connection, encoder_id, dict(zip(hashes, block, strict=True)))
            postings.upsert(connection, rows)
            posting_facts.describe(connection, [facts_of(posting, None) for posting in batch])


@contextmanager
def filled_settings(options: Options, count: int) -> Iterator[Settings]:
    """Yield settings whose store holds ``count`` postings of real length, indexed for serving."""
    with new_settings() as settings:
        database = Database.open(settings.store_url)
        encoder_id = ServingModels(settings).base.model_id
        fill(database, encoder_id, varied(options.postings, count), random_vectors(count))
        database.close()
        yield settings
