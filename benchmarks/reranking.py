"""Reranking 20 real postings through the queue, beside sentence-transformers' CrossEncoder."""

from __future__ import annotations

from collections.abc import Sequence

from sentence_transformers import CrossEncoder

from benchmarks.measure import Row, interleaved_ms
from jobsentinel import Posting, Producer
from jobsentinel_workers.encoders import packaged_model_path

ROUNDS, CANDIDATES = 7, 20
QUERY = (
    "Backend engineer with eight years of Python, PostgreSQL and message queues, looking for a "
    "remote role in a small team that owns what it runs."
)


def run(producer: Producer, postings: Sequence[Posting]) -> list[Row]:
    """Return the median of both sides on the same pairs, in turn."""
    peer = CrossEncoder(str(packaged_model_path()), num_labels=1)  # its speed is that of any head
    chunks = [postings[n * CANDIDATES : (n + 1) * CANDIDATES] for n in range(ROUNDS + 1)]
    producer.index(postings[: (ROUNDS + 1) * CANDIDATES]).result(300)
    producer.rerank(QUERY, chunks[ROUNDS]).result(60)
    ours, theirs = interleaved_ms(
        lambda n: producer.rerank(QUERY, chunks[n]).result(60),
        lambda n: peer.predict(
            [(QUERY, posting.text()) for posting in chunks[n]], show_progress_bar=False
        ),
        ROUNDS,
    )
    return [
        Row("rerank 20 real postings through the queue, p50", ours, "ms", "< 200"),
        Row("CrossEncoder.predict, fp32, defaults, same pairs", theirs, "ms"),
        Row("reranking over CrossEncoder", theirs / ours, "x", ">= 2.5"),
    ]
