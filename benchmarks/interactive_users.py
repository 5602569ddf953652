"""Two people who rank at once while postings are indexed, beside one of them alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.filled_store import filled_settings
from benchmarks.fleets import running_fleet
from benchmarks.flood import flooded
from benchmarks.measure import Row, Times, timed
from benchmarks.options import Options
from benchmarks.real_postings import varied
from jobsentinel import Producer

INDEXED, USERS, READ = 10_000, 2, 20
ROUNDS, RANKINGS = 3, 10
BULK = 6_000
"""Postings to index in each round: more than the fleet indexes while the users rank."""


def run(options: Options) -> Iterator[Row]:
    """Yield the latency of a ranking of the index, alone and beside all the rest."""
    indexed, bulk = options.size(INDEXED, 200), options.size(BULK, 640)
    rounds, rankings = options.size(ROUNDS, 1), options.size(RANKINGS, 2)
    queries = [posting.title for posting in options.postings]
    alone, both, together, left = [], [], [], []
    with filled_settings(options, indexed) as settings, running_fleet(settings) as (_, producer):
        rank = partial(_rank, producer, queries)
        rank(-1)
        for number in range(rounds):
            alone.append(timed(rank, rankings))
            both += _at_once(producer, queries, rankings)
            new = varied(options.postings, bulk, start=indexed + number * bulk)
            with flooded(producer, producer.index(new)):
                together += _at_once(producer, queries, rankings)
                left.append(producer.depths()["inference.bulk"])
    one, two = Times.joined(alone), Times.joined(together)
    undisturbed = Times.joined(both)
    note = f"of {indexed:,} postings; the cross-encoder reads {READ}"
    yield from one.rows("one user ranks, nothing else")
    yield from undisturbed.rows(f"{USERS} users rank at once, nothing else")
    yield from two.rows(f"{USERS} users rank at once, postings being indexed", note=note)
    yield Row("messages of 64 postings still waiting then, at least", min(left), "", ">= 1")
    yield Row("both and indexing over one alone, p50", two.p50 / one.p50, "x", "<= 2", note)
    yield Row("both and indexing over one alone, p95", two.p95 / one.p95, "x", "<= 2", note)


def _rank(producer: Producer, queries: Sequence[str], number: int) -> None:
    producer.rerank(queries[number], initial_top_k=READ).result(300)


def _at_once(producer: Producer, queries: Sequence[str], rankings: int) -> list[Times]:
    """Return the latencies of each user; they ask different things."""
    with ThreadPoolExecutor(USERS) as users:
        running = [
            users.submit(timed, partial(_rank, producer, queries[user * rankings :]), rankings)
            for user in range(USERS)
        ]
        return [each.result() for each in running]
