"""The first stage over stored postings, beside sentence-transformers' exact search.

Measured is what a worker does between the query's embedding and the cross-encoder: it follows the
store, filters and searches, which has the goal, then reads what it found and joins the rankings.
The peer searches the same vectors as fast as its documentation knows: unit vectors, dot products.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from sentence_transformers import util

from benchmarks.filled_store import Vectors, fill, random_vectors
from benchmarks.measure import Row, Times, Work, in_turn, seconds, times_as_fast
from benchmarks.options import Options
from benchmarks.real_postings import varied
from jobsentinel import Posting
from jobsentinel.contract.requests import FirstStage, RerankRequest
from jobsentinel_workers.encoders import TextEncoder, run_directly
from jobsentinel_workers.inference.candidates import Candidates
from jobsentinel_workers.inference.search_indexes import indexes_of
from jobsentinel_workers.reranking import HybridRanker
from jobsentinel_workers.reranking.clock import Clock
from jobsentinel_workers.store import Database

TOP_K = 100
ROUNDS = 50
WHERE = "remote = true"
REMOTE_EVERY = 4
"""One posting in so many passes the filter."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to retrieve; ``{}`` in ``where`` is the number of the round: a filter not yet asked."""

    name: str
    first_stage: FirstStage
    where: str | None = None


DENSE = (
    Mode("dense", "dense"),
    Mode("dense, filtered", "dense", WHERE),
    Mode("dense, by a new filter", "dense", f'{WHERE} and title != "{{}}"'),
)
HYBRID = (Mode("hybrid", "hybrid"), Mode("hybrid, filtered", "hybrid", WHERE))


def run(options: Options) -> Iterator[Row]:
    """Yield the times of 10,000 postings with texts, and of 200,000 with titles alone."""
    rounds = options.size(ROUNDS, 3)
    queries = [posting.title for posting in options.postings]
    vectors = random_vectors(options.size(10_000, 400))
    with _served(varied(options.postings, len(vectors)), vectors, queries) as stage:
        yield from stage.load(words=True)
        yield from _measure(stage, (*DENSE, *HYBRID), rounds, "< 5")
    vectors = random_vectors(options.size(200_000, 1_000))
    with _served(_titles(len(vectors)), vectors, queries) as stage:
        yield from stage.load(words=False)
        yield from _measure(stage, DENSE, rounds, "< 50")


def _titles(count: int) -> Iterator[Posting]:
    for number in range(count):
        yield Posting(id=f"{number:06}", title=f"Posting {number}", description="")


@contextmanager
def _served(
    sent: Iterable[Posting], vectors: Vectors, queries: Sequence[str]
) -> Iterator[FirstStageAsServed]:
    encoder = TextEncoder.load()
    marked = (
        posting.model_copy(update={"remote": n % REMOTE_EVERY == 0})
        for n, posting in enumerate(sent)
    )
    with TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{Path(folder) / 'bench.db'}")
        fill(database, encoder.model_id, marked, vectors)
        yield FirstStageAsServed(database, encoder, vectors, queries)
        database.close()


class FirstStageAsServed:
    """Retrieves for a query, as a worker does for a ranking request, and so does the peer."""

    def __init__(
        self, database: Database, encoder: TextEncoder, stored: Vectors, queries: Sequence[str]
    ) -> None:
        self.what = f"{len(stored):,} postings"
        self.searched_s: dict[Mode, list[float]] = defaultdict(list)
        self._database = database
        self._encoder = encoder
        self._stored = stored
        self._queries = queries
        self._embeddings = random_vectors(len(queries), seed=1)

    def load(self, words: bool) -> Iterator[Row]:
        """Read the store, and yield what that took."""
        indexes = indexes_of(self._database)
        vectors_s = seconds(indexes.vectors(self._encoder.model_id).refresh)
        yield Row(f"load the vectors of {self.what}, once", 1e3 * vectors_s, "ms")
        if words:
            words_s = seconds(indexes.lexical.refresh)
            yield Row(f"load the words of {self.what}, once", 1e3 * words_s, "ms")

    def retrieve(self, mode: Mode, number: int) -> None:
        """Find all that the cross-encoder would read, and keep how long searching took of it."""
        text, query, clock = self._queries[number], self._embeddings[number], Clock()
        where = mode.where and mode.where.format(number)
        request = RerankRequest(
            query=text, first_stage=mode.first_stage, where=where, initial_top_k=TOP_K
        )
        candidates = Candidates(self._database, self._encoder, run_directly, clock)
        pool = candidates.indexed(request, query)
        laps = clock.timings_ms()
        self.searched_s[mode].append((laps["total"] - laps["fetch"]) / 1e3)
        ranker = HybridRanker(
            self._encoder,
            first_stage=mode.first_stage,
            stages=[],
            initial_top_k=TOP_K,
            final_top_k=TOP_K,
        )
        ranker.rank(
            text, pool.candidates, query_embedding=query, lexical_scores=pool.lexical_scores
        )

    def semantic_search(self, every: int) -> Work:
        """Return the peer's search among every so manieth vector."""
        corpus = torch.from_numpy(self._stored[::every].copy())

        def search(number: int) -> None:
            query = torch.from_numpy(self._embeddings[number])
            util.semantic_search(query, corpus, top_k=TOP_K, score_function=util.dot_score)

        return search


def _measure(
    stage: FirstStageAsServed, modes: Sequence[Mode], rounds: int, goal: str
) -> Iterator[Row]:
    everything, filtered, *whole = in_turn(
        rounds,
        stage.semantic_search(1),
        stage.semantic_search(REMOTE_EVERY),
        *(partial(stage.retrieve, mode) for mode in modes),
        warm_up=True,
    )
    yield from everything.rows(f"semantic_search, {stage.what}")
    yield from filtered.rows(f"semantic_search, those that pass the filter of {stage.what}")
    for mode, with_texts in zip(modes, whole, strict=True):
        searched = Times.of(stage.searched_s[mode][1:])  # the first one warmed up
        name = f"search {stage.what}, {mode.name}"
        note = "the peer has no words" if mode.first_stage == "hybrid" else ""
        yield from searched.rows(name, goal)
        yield from with_texts.rows(f"{name}, texts read and checked")
        peer = filtered if mode.where else everything
        yield times_as_fast(f"{name}, over semantic_search", searched, peer, note=note)
