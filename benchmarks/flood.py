"""Interactive requests while a flood of bulk work waits, beside the same requests when idle."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.measure import Row, seconds
from jobsentinel import Posting, Producer

WAITING, SINGLES = 50_000, 100


def run(producer: Producer, postings: Sequence[Posting]) -> list[Row]:
    """Return the latency of one posting, idle and with `WAITING` postings before it."""
    producer.score([postings[0]], profile="warm up").result(120)
    idle = _latencies_ms(producer, postings, "idle")
    flood = producer.score(
        (_numbered(postings, n) for n in range(WAITING)), profile="anything at all"
    )
    flood.send_all()
    while producer.depths()["running"] < 2:
        time.sleep(0.05)
    busy = _latencies_ms(producer, postings, "busy")
    left = producer.depths()["inference.bulk"]
    flood.cancel()
    return [
        Row("one posting, idle, p50", _at(idle, 0.5), "ms"),
        Row("one posting, idle, p95", _at(idle, 0.95), "ms"),
        Row(f"the same, {WAITING:,} postings waiting, p50", _at(busy, 0.5), "ms"),
        Row(f"the same, {WAITING:,} postings waiting, p95", _at(busy, 0.95), "ms"),
        Row("messages of 64 postings still waiting then", left, ""),
        Row("p95 under the flood over p95 idle", _at(busy, 0.95) / _at(idle, 0.95), "x", "< 3"),
    ]


def _numbered(postings: Sequence[Posting], n: int) -> Posting:
    posting = postings[n % len(postings)]
    # Other texts, so that no embedding is known before.
    return posting.model_copy(update={"id": f"flood-{n}", "title": f"{posting.title} {n}"})


def _latencies_ms(producer: Producer, postings: Sequence[Posting], name: str) -> list[float]:
    def score(n: int) -> object:
        posting = postings[n % len(postings)].model_copy(
            update={"id": f"{name}-{n}", "title": f"{name} {n}"}
        )
        return producer.score([posting]).result(60)

    return sorted(1e3 * seconds(lambda n=n: score(n)) for n in range(SINGLES))  # type: ignore[misc]  # a default binds the loop's value


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]
