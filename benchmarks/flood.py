"""Interactive requests while a flood of bulk work waits, beside the same requests when idle."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.fleets import new_fleet
from benchmarks.measure import Row, Times, timed
from benchmarks.options import Options
from benchmarks.real_postings import varied
from jobsentinel import Posting, Producer
from jobsentinel.streams import JobStream

WAITING, SINGLES = 50_000, 100
_POLL_S = 0.05


def run(options: Options) -> Iterator[Row]:
    """Yield the latency of one posting, idle and with many postings before it."""
    waiting, singles = options.size(WAITING, 600), options.size(SINGLES, 3)
    postings = options.postings
    with new_fleet() as producer:
        producer.score([postings[0]], profile="warm up").result(120)
        idle = _latencies(producer, postings, "idle", singles)
        flood = producer.score(varied(postings, waiting), profile="anything at all")
        with flooded(producer, flood):
            busy = _latencies(producer, postings, "busy", singles)
            left = producer.depths()["inference.bulk"]
    yield from idle.rows("one posting, idle")
    yield from busy.rows(f"the same, {waiting:,} postings waiting")
    yield Row("messages of 64 postings still waiting then", left, "")
    yield Row("p95 under the flood over p95 idle", busy.p95 / idle.p95, "x", "< 3")


@contextmanager
def flooded(producer: Producer, bulk: JobStream[Any, Any]) -> Iterator[None]:
    """Run the body while all of ``bulk`` waits or runs; what is left is then cancelled."""
    bulk.send_all()
    while _is_waiting(depths := producer.depths()) and depths["running"] < 2:
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        bulk.cancel()
        while _is_waiting(depths := producer.depths()) or depths["running"]:
            time.sleep(_POLL_S)


def _is_waiting(depths: dict[str, int]) -> bool:
    return depths["inference.bulk"] > 0


def _latencies(producer: Producer, postings: Sequence[Posting], name: str, singles: int) -> Times:
    def score(n: int) -> object:
        posting = postings[n % len(postings)].model_copy(
            update={"id": f"{name}-{n}", "title": f"{name} {n}"}
        )
        return producer.score([posting]).result(60)

    return timed(score, singles)
