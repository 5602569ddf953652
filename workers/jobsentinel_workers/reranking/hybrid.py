"""Retrieve, then rerank: a bi-encoder narrows the pool, a cross-encoder orders what is left."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import normalise
from jobsentinel_workers.encoders import (
    FloatArray,
    Runner,
    SequenceModel,
    TextEncoder,
    run_directly,
)
from jobsentinel_workers.reranking.cross_encoder import CrossEncoderReranker
from jobsentinel_workers.reranking.fusion import SCORE_DECIMALS
from jobsentinel_workers.reranking.rankings import Candidate, RankedCandidate, RerankResult
from jobsentinel_workers.reranking.validation import (
    check_candidates,
    check_top_k,
    checked_embedding,
)

PRECISION_AT = 10


class HybridRanker:
    """Ranks candidates for a query, such as a résumé or a search.

    Models that are not given are the packaged encoder and the starter cross-encoder.

    Example:
        >>> ranker = HybridRanker(initial_top_k=100, final_top_k=20)
        >>> pool = [Candidate("a", "Registered nurse"), Candidate("b", "Truck driver")]
        >>> ranker.rank(query="nurse", candidates=pool).reranked_candidates[0].id
        'a'
    """

    def __init__(
        self,
        bi_encoder: SequenceModel | None = None,
        cross_encoder: CrossEncoderReranker | None = None,
        *,
        initial_top_k: int = 100,
        final_top_k: int = 20,
        runner: Runner = run_directly,
    ) -> None:
        check_top_k(initial_top_k, final_top_k)
        self.bi_encoder = bi_encoder or TextEncoder.load()
        self.cross_encoder = cross_encoder or CrossEncoderReranker.load()
        self.initial_top_k = initial_top_k
        self.final_top_k = final_top_k
        self.runner = runner

    def rank(
        self,
        query: str,
        candidates: Sequence[Candidate],
        relevant_ids: Collection[str] | None = None,
        query_embedding: FloatArray | None = None,
    ) -> RerankResult:
        """Return ``candidates`` ranked for ``query``; no candidates give an empty ranking.

        With ``relevant_ids``, the result says how reranking changed P@10. Ties are broken by id.
        With ``query_embedding`` (d,), the bi-encoder does not read the query again.

        Raises:
            InvalidInput: the query or a text is empty, an id repeats, an embedding does not fit.
        """
        if not isinstance(query, str) or not normalise(query):
            raise InvalidInput("query", "must be text and not empty after normalisation")
        check_candidates(candidates)
        clock = _Clock()
        cosines = self._cosines(query, candidates, query_embedding)
        clock.lap("embed")
        first = _best_first(cosines, candidates, self.initial_top_k)
        clock.lap("retrieve")
        ranked = self._rerank(query, [candidates[n] for n in first], cosines[first])
        clock.lap("rerank")
        return RerankResult(
            reranked_candidates=ranked[: self.final_top_k],
            candidate_count=len(candidates),
            timings_ms=clock.timings_ms(),
            model_ids=self._model_ids(),
            precision_improvement=_improvement(ranked, relevant_ids),
        )

    def _model_ids(self) -> dict[str, str]:
        return {
            "bi_encoder": self.bi_encoder.model_id,
            "cross_encoder": self.cross_encoder.model.model_id,
        }

    def _cosines(
        self,
        query: str,
        candidates: Sequence[Candidate],
        query_embedding: FloatArray | None,
    ) -> FloatArray:
        if not candidates:
            return np.zeros(0, dtype=np.float32)
        given = [query_embedding, *(candidate.embedding for candidate in candidates)]
        texts = [query, *(candidate.text for candidate in candidates)]
        width = self.bi_encoder.output_dim
        embeddings = np.empty((len(given), width), dtype=np.float32)
        missing = [n for n, embedding in enumerate(given) if embedding is None]
        if missing:
            embeddings[missing] = self.runner(self.bi_encoder, [texts[n] for n in missing])
        for n, embedding in enumerate(given):
            if embedding is not None:
                embeddings[n] = checked_embedding(embedding, n - 1, width)
        unit = _unit(embeddings)
        rounded: FloatArray = np.round(unit[1:] @ unit[0], SCORE_DECIMALS)
        return rounded

    def _rerank(
        self, query: str, candidates: Sequence[Candidate], cosines: FloatArray
    ) -> list[RankedCandidate]:
        if not candidates:
            return []
        texts = [candidate.text for candidate in candidates]
        logits = np.round(self.cross_encoder.score(query, texts, self.runner), SCORE_DECIMALS)
        scores = self.cross_encoder.fusion.score(cosines, logits)
        cross_ranks = _ranks(logits, candidates)
        order = _best_first(scores, candidates, len(candidates))
        return [
            RankedCandidate(
                id=candidates[n].id,
                text=candidates[n].text,
                rank=rank,
                score=float(scores[n]),
                bi_encoder_score=float(cosines[n]),
                bi_encoder_rank=n + 1,
                cross_encoder_score=float(logits[n]),
                cross_encoder_rank=cross_ranks[n],
            )
            for rank, n in enumerate(order, start=1)
        ]


class _Clock:
    """Wall time by stage."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._laps[stage] = 1000 * (now - self._last)
        self._last = now

    def timings_ms(self) -> dict[str, float]:
        return self._laps | {"total": 1000 * (self._last - self._started)}


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = vectors / np.maximum(lengths, 1e-12)
    return scaled


def _best_first(
    scores: np.ndarray[tuple[int], np.dtype[np.floating]] | FloatArray,
    candidates: Sequence[Candidate],
    top_k: int,
) -> list[int]:
    """Return positions of the ``top_k`` highest scores, ties by id."""
    positions = np.arange(len(scores))
    if top_k < len(scores):
        # All that tie with the last place are kept until ids decide.
        bar = np.partition(scores, -top_k)[-top_k]
        positions = np.flatnonzero(scores >= bar)
    order = sorted(positions.tolist(), key=lambda n: (-scores[n], candidates[n].id))
    return order[:top_k]


def _ranks(scores: FloatArray, candidates: Sequence[Candidate]) -> dict[int, int]:
    order = _best_first(scores, candidates, len(candidates))
    return {position: rank for rank, position in enumerate(order, start=1)}


def _improvement(
    ranked: Sequence[RankedCandidate], relevant_ids: Collection[str] | None
) -> float | None:
    if relevant_ids is None:
        return None
    hits = [candidate.id in relevant_ids for candidate in ranked]
    before = [hit for hit, c in zip(hits, ranked, strict=True) if c.bi_encoder_rank <= PRECISION_AT]
    return (sum(hits[:PRECISION_AT]) - sum(before)) / PRECISION_AT
