"""Selection through the queue, of samples whose embeddings the store has already.

1,000 postings of real length are sent as texts, a hybrid batch of 50 comes back. The vectors are
drawn: how fast they are found, scored and chosen from does not depend on what they say.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.fleets import new_settings, running_fleet
from benchmarks.measure import Row, seconds, timed
from benchmarks.options import Options
from benchmarks.real_postings import varied
from jobsentinel import Producer, Settings
from jobsentinel.contract.postings import Sample
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.multi_task import scored_text
from jobsentinel_workers.store import Database, embeddings

SAMPLES, PICKS, ROUNDS = 1_000, 50, 25


def through_the_queue(options: Options) -> Iterator[Row]:
    """Yield the time from asking for a batch to having it, for new texts and for known ones."""
    count, rounds = options.size(SAMPLES, 40), options.size(ROUNDS, 2)
    postings = varied(options.postings, count)
    samples = [Sample(id=each.id, text=each.text()) for each in postings]
    name = f"from {count:,} stored through the queue, hybrid"
    with new_settings() as settings:
        _store_embeddings(settings, samples)
        with running_fleet(settings) as (_, producer):
            _ask(producer, samples[:2])
            first_s = seconds(lambda: _ask(producer, samples))
            taken = timed(lambda _: _ask(producer, samples), rounds)
    yield Row(f"{name}, texts that the worker has not read yet", 1e3 * first_s, "ms")
    yield from taken.rows(name, "< 100", "texts that it has read")


def _ask(producer: Producer, samples: Sequence[Sample]) -> None:
    # A selection that was asked for before would be answered by the ledger.
    key = uuid.uuid4().hex
    producer.select(samples, num_samples=PICKS, idempotency_key=key).result(120)


def _store_embeddings(settings: Settings, samples: Sequence[Sample]) -> None:
    encoder = ServingModels(settings).scoring().model.encoder
    shape = len(samples), encoder.output_dim
    vectors = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    hashes = [content_hash(scored_text(sample.text)) for sample in samples]
    database = Database.open(settings.store_url)
    with database.begin() as connection:
        by_hash = dict(zip(hashes, vectors, strict=True))
        embeddings.put_many(connection, encoder.model_id, by_hash)
    database.close()
