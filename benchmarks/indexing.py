"""How fast postings are indexed through the queue, beside the encoder's raw rate on their texts."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.fleets import new_fleet
from benchmarks.measure import Row, in_turn, times_as_fast
from benchmarks.options import Options
from benchmarks.real_postings import varied
from jobsentinel_workers.encoders import TextEncoder, run_directly
from jobsentinel_workers.inference.scoring import model_text

ROUNDS = 4


def run(options: Options) -> Iterator[Row]:
    """Yield both rates over rounds in turn; no text is encoded twice by one side."""
    each = options.size(options.index_postings, 32) // ROUNDS
    chunks = [list(varied(options.postings, each, n * each)) for n in range(ROUNDS + 1)]
    texts = [[model_text(posting) for posting in chunk] for chunk in chunks]
    encoder = TextEncoder.load()
    with new_fleet() as producer:
        ours, raw = in_turn(
            ROUNDS,
            lambda n: producer.index(chunks[n]).result(3_600),
            lambda n: run_directly(encoder, texts[n]),
            warm_up=True,
        )
    note = f"{ROUNDS * each:,} postings in {ROUNDS} rounds; --index-postings 100000 for as many"
    yield from ours.rates("index through the queue", each, "postings/s")
    yield from raw.rates("encode the same texts in process", each, "postings/s")
    yield times_as_fast("indexing over encoding", ours, raw, ">= 0.8", note)
