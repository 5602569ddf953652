"""Exact search over 10,000 postings, and selection from 1,000 candidates."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, median_ms
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.active_learning import QueryStrategy, select
from jobsentinel_workers.store import Database, VectorIndex, embeddings, postings

INDEXED, CANDIDATES, WIDTH, CLASSES = 10_000, 1_000, 384, 20


def run() -> list[Row]:
    """Return the time of a search and of a selection by each strategy."""
    return [*_search(), *_selections()]


def _search() -> list[Row]:
    # Exact search reads every vector, so their values make no difference to its speed.
    random = np.random.default_rng(0)
    vectors = _unit(random.normal(size=(INDEXED, WIDTH)))
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{Path(folder) / 'bench.db'}")
        hashes = [content_hash(str(n)) for n in range(INDEXED)]
        with database.begin() as connection:
            embeddings.put_many(connection, "bench", dict(zip(hashes, vectors, strict=True)))
            postings.upsert(connection, [_row(n, key) for n, key in enumerate(hashes)])
        index = VectorIndex(database, "bench")
        first = median_ms(index.refresh, runs=1, warm_up=0)
        query = vectors[0]

        def search() -> None:
            index.refresh()
            index.search(query, 100)

        searched = median_ms(search, runs=50)
        database.close()
    return [
        Row(f"search {INDEXED:,} postings, top 100, with refresh, p50", searched, "ms", "< 10"),
        Row(f"load {INDEXED:,} postings into the index, once", first, "ms"),
    ]


def _row(number: int, key: str) -> dict[str, str]:
    return {
        "id": str(number),
        "title": str(number),
        "description": "",
        "content_hash": key,
        "text": str(number),
    }


def _selections() -> list[Row]:
    random = np.random.default_rng(1)
    probabilities = random.dirichlet(np.full(CLASSES, 0.3), size=CANDIDATES)
    vectors = _unit(random.normal(size=(CANDIDATES, WIDTH)))
    return [
        Row(
            f"select 50 of {CANDIDATES:,}, {strategy.value}, p50",
            median_ms(
                lambda s=strategy: select(s, probabilities, vectors, num_samples=50),  # type: ignore[misc]  # a default binds the loop's value
                runs=7,
            ),
            "ms",
            "< 100",
        )
        for strategy in QueryStrategy
    ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
        np.float32
    )
    return scaled
