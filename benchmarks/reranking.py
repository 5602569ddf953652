"""Reranking real postings in process and through the queue, beside sentence-transformers.

Both sides compute the same transformer, the starter reranker's. The peer has its defaults: fp32,
512 tokens, and a linear layer for a head.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

from sentence_transformers import CrossEncoder

from benchmarks.fleets import new_fleet
from benchmarks.measure import NEEDS_AMX, Row, in_turn, times_as_fast
from benchmarks.options import Options
from jobsentinel import Posting, Producer
from jobsentinel_workers.encoders import packaged_model_path
from jobsentinel_workers.reranking import CrossEncoderReranker

GOALS_MS = {20: 200, 100: 800}
ROUNDS = {20: 9, 100: 5}
QUERY = (
    "Backend engineer with eight years of Python, PostgreSQL and message queues, looking for a "
    "remote role in a small team that owns what it runs."
)


def run(options: Options) -> Iterator[Row]:
    """Yield the times of the best 20 and of the best 100."""
    reranker, peer = CrossEncoderReranker.load(), library_cross_encoder()
    with new_fleet() as producer:
        for count, goal_ms in GOALS_MS.items():
            rounds = options.size(ROUNDS[count], 1)
            read = options.size(count, 3)
            chunks = _chunks(options.postings, read, rounds + 1)
            yield from _beside(producer, reranker, peer, chunks, f"< {goal_ms}")


def library_cross_encoder() -> CrossEncoder:
    """Return the library's cross-encoder over the weights of our transformer."""
    peer: CrossEncoder = CrossEncoder(str(packaged_model_path()), num_labels=1, device="cpu")
    ours: Any = CrossEncoderReranker.load(precision="fp32", device="cpu").model.network
    theirs: Any = peer.model
    loaded = theirs.base_model.load_state_dict(ours.transformer.state_dict(), strict=False)
    differing = [name for name in (*loaded[0], *loaded[1]) if not name.startswith("pooler.")]
    assert not differing, f"the transformers differ in {differing}"
    return peer


def _chunks(postings: Sequence[Posting], size: int, count: int) -> list[list[Posting]]:
    endless = cycle(postings)
    return [list(islice(endless, size)) for _ in range(count)]


def _beside(
    producer: Producer,
    reranker: CrossEncoderReranker,
    peer: CrossEncoder,
    chunks: Sequence[Sequence[Posting]],
    goal: str,
) -> Iterator[Row]:
    texts = [[posting.text() for posting in chunk] for chunk in chunks]
    for chunk in chunks:
        producer.index(chunk).result(600)
    direct, queued, theirs = in_turn(
        len(chunks) - 1,
        lambda n: reranker.score(QUERY, texts[n]),
        lambda n: _rerank(producer, chunks[n]),
        lambda n: peer.predict([(QUERY, text) for text in texts[n]], show_progress_bar=False),
        warm_up=True,
    )
    name = f"rerank {len(chunks[0])} real postings"
    yield from theirs.rows(f"CrossEncoder.predict, {name}")
    for where, ours in {"in process": direct, "through the queue": queued}.items():
        yield from ours.rows(f"{name} {where}", goal, NEEDS_AMX)
        ratio = f"{name} {where}, over CrossEncoder"
        yield times_as_fast(ratio, ours, theirs, ">= 3")


def _rerank(producer: Producer, candidates: Sequence[Posting]) -> None:
    producer.rerank(
        QUERY,
        candidates,
        initial_top_k=len(candidates),
        # A ranking that was asked for before would be answered by the ledger.
        idempotency_key=uuid.uuid4().hex,
    ).result(120)
