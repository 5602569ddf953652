"""Scoring through the queue, beside a plain loop of fp32 forwards over the same postings."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from transformers import AutoModel, AutoTokenizer

from benchmarks.fleets import new_fleet
from benchmarks.measure import NEEDS_AMX, Row, in_turn, timed
from benchmarks.options import Options
from jobsentinel_workers.encoders import packaged_model_path

WARM_UP, SINGLES = 8, 60
ROUNDS, OURS_A_ROUND, PEERS_A_ROUND = 4, 128, 32
PEER_TOKENS = 256
BULK = "bulk scoring through the queue"


def run(options: Options) -> Iterator[Row]:
    """Yield latency of one posting and throughput of many; no posting is scored twice."""
    count, ours, theirs = (options.size(full, 2) for full in (SINGLES, OURS_A_ROUND, PEERS_A_ROUND))
    singles = options.postings[WARM_UP : WARM_UP + count]
    bulk = options.postings[WARM_UP + count :]
    chunks = [bulk[n * ours : (n + 1) * ours] for n in range(ROUNDS)]
    peer = PlainLoop()
    with new_fleet() as producer:
        producer.score(options.postings[:WARM_UP]).result(120)
        first = timed(lambda n: producer.score([singles[n]]).result(60), count)
        again = timed(lambda n: producer.score([singles[n]], profile="x").result(60), count)
        fleet, loop = in_turn(
            ROUNDS,
            lambda n: producer.score(chunks[n]).result(300),
            lambda n: [peer.embed(posting.text()) for posting in chunks[n][:theirs]],
        )
    yield from first.rows("score one posting through the queue", "< 50", NEEDS_AMX)
    yield from again.rows("the same, text encoded before")
    rates = 1e3 * ours / fleet.p50, 1e3 * theirs / loop.p50
    yield Row(BULK, rates[0], "postings/s")
    yield Row(f"plain loop, fp32, {PEER_TOKENS} tokens", rates[1], "postings/s")
    yield Row("bulk scoring over the plain loop", rates[0] / rates[1], "x", ">= 3")


class PlainLoop:
    """What one would write first: tokenise, pad to 256 tokens, forward, mean; one at a time."""

    def __init__(self) -> None:
        path = str(packaged_model_path())
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._model = AutoModel.from_pretrained(path, dtype=torch.float32).eval()

    @torch.inference_mode()
    def embed(self, text: str) -> torch.Tensor:
        """Return the mean-pooled embedding of one text."""
        inputs = self._tokenizer(
            text, truncation=True, padding="max_length", max_length=PEER_TOKENS, return_tensors="pt"
        )
        hidden = self._model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        mean: torch.Tensor = (hidden * mask).sum(1) / mask.sum(1)
        return mean
