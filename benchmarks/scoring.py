"""Scoring through the queue, beside a plain loop of fp32 forwards over the same postings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import AutoModel, AutoTokenizer

from benchmarks.measure import Row, interleaved_ms, seconds
from jobsentinel import Posting, Producer
from jobsentinel_workers.encoders import packaged_model_path

SINGLES, ROUNDS, BULK_ROUND = 60, 4, 128
PEER_TOKENS = 256


def run(producer: Producer, postings: Sequence[Posting]) -> list[Row]:
    """Return latency of one posting and throughput of many; no posting is scored twice."""
    producer.score(postings[:8]).result(120)
    singles, bulk = postings[8 : 8 + SINGLES], postings[8 + SINGLES :]
    times = sorted(seconds(lambda p=p: producer.score([p]).result(60)) for p in singles)  # type: ignore[misc]  # a default binds the loop's value
    repeated = sorted(
        seconds(lambda p=p: producer.score([p], profile="x").result(60))  # type: ignore[misc]  # likewise
        for p in singles
    )
    peer = PlainLoop()
    chunks = [bulk[n * BULK_ROUND : (n + 1) * BULK_ROUND] for n in range(ROUNDS)]
    ours_ms, peer_ms = interleaved_ms(
        lambda n: producer.score(chunks[n]).result(300),
        lambda n: [peer.embed(posting.text()) for posting in chunks[n][:32]],
        ROUNDS,
    )
    ours_a_second, peer_a_second = BULK_ROUND / ours_ms * 1e3, 32 / peer_ms * 1e3
    return [
        Row("score one posting through the queue, p50", 1e3 * times[len(times) // 2], "ms", "< 50"),
        Row("score one posting through the queue, p95", 1e3 * times[-len(times) // 20], "ms"),
        Row("the same, text encoded before, p50", 1e3 * repeated[len(repeated) // 2], "ms"),
        Row("bulk scoring through the queue", ours_a_second, "postings/s"),
        Row("plain loop, fp32, 256 tokens", peer_a_second, "postings/s"),
        Row("bulk scoring over the plain loop", ours_a_second / peer_a_second, "x", ">= 3"),
    ]


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
