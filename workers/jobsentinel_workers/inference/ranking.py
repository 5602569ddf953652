"""Ranking inline candidates or the indexed postings: retrieval, then the cross-encoder."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from jobsentinel.contract import requests, results
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel
from jobsentinel_workers.inference.embeddings import embed
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import RERANKER
from jobsentinel_workers.multi_task import scored_text
from jobsentinel_workers.reranking import Candidate, HybridRanker, RankedCandidate
from jobsentinel_workers.store import Database, VectorIndex, embeddings, postings

_indexes: dict[tuple[int, str], VectorIndex] = {}
_indexes_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Ranking:
    """Answers one ranking request."""

    database: Database
    models: ServingModels
    runner: Runner

    def rank(self, request: requests.RerankRequest) -> results.RerankResult:
        """Return the best candidates, with score and rank at each stage.

        Raises:
            ModelUnavailable: the first stage asked for does not exist.
            InvalidInput: it is no similarity model, or has nothing indexed.
        """
        if request.candidates is not None and not request.candidates:
            return results.RerankResult(ranked=(), candidates=0, timings_ms={}, models=())
        started = time.perf_counter()
        encoder, stamp = self._first_stage(request)
        query = embed(self.database, encoder, [scored_text(request.query)], self.runner).vectors[0]
        encoded = time.perf_counter()
        if request.candidates is None:
            total, candidates = self._from_index(encoder, query, request.initial_top_k)
        else:
            total, candidates = len(request.candidates), self._inline(encoder, request)
        found = time.perf_counter()
        reranker = self.models.reranker()
        ranker = HybridRanker(
            bi_encoder=encoder,
            cross_encoder=reranker.model,
            initial_top_k=request.initial_top_k,
            final_top_k=request.final_top_k,
            runner=self.runner,
        )
        ranked = ranker.rank(query=request.query, candidates=candidates, query_embedding=query)
        reranked = time.perf_counter()
        stages = {"query": encoded - started, "retrieve": found - encoded}
        stages |= {"rerank": reranked - found, "total": reranked - started}
        timings = {stage: 1e3 * seconds for stage, seconds in stages.items()}
        return results.RerankResult(
            ranked=tuple(map(_ranked_posting, ranked.reranked_candidates)),
            candidates=total,
            timings_ms=timings,
            models=(stamp, reranker.stamp),
        )

    def _first_stage(
        self, request: requests.RerankRequest
    ) -> tuple[SequenceModel, results.ModelStamp]:
        name = request.bi_encoder
        if name is None:
            return self.models.base, self.models.stamp(self.models.base)
        if name == RERANKER or request.candidates is None:
            raise InvalidInput(
                "bi_encoder",
                "ranks candidates that come with the request; the index is of the base encoder",
            )
        served = self.models.fine_tuned(name)
        if served.model.config.task != "similarity":
            raise InvalidInput("bi_encoder", f"is {name!r}, which is not a similarity model")
        return served.model, served.stamp

    def _inline(self, encoder: SequenceModel, request: requests.RerankRequest) -> list[Candidate]:
        sent = request.candidates or ()
        vectors = embed(
            self.database, encoder, [scored_text(candidate.text) for candidate in sent], self.runner
        ).vectors
        return [
            Candidate(id=candidate.id, text=candidate.text, embedding=vector)
            for candidate, vector in zip(sent, vectors, strict=True)
        ]

    def _from_index(
        self, encoder: SequenceModel, query: FloatArray, top_k: int
    ) -> tuple[int, list[Candidate]]:
        index = index_of(self.database, encoder.model_id)
        index.refresh()
        ids, _ = index.search(query, top_k)
        with self.database.connect() as connection:
            stored = postings.get(connection, ids)
            hashes = {posting.content_hash for posting in stored.values()}
            vectors = embeddings.get_many(connection, encoder.model_id, hashes)
        candidates = [
            Candidate(id=posting.id, text=posting.text, embedding=vectors[posting.content_hash])
            for posting in stored.values()
            if posting.content_hash in vectors  # its text changed since the search
        ]
        return len(index), candidates


def index_of(database: Database, encoder_id: str) -> VectorIndex:
    """Return this process's index of an encoder's embeddings; it is kept between requests."""
    key = (id(database), encoder_id)
    with _indexes_lock:
        if key not in _indexes:
            _indexes[key] = VectorIndex(database, encoder_id)
        return _indexes[key]


def _ranked_posting(candidate: RankedCandidate) -> results.RankedPosting:
    return results.RankedPosting(
        id=candidate.id,
        rank=candidate.rank,
        score=candidate.score,
        bi_encoder_score=candidate.bi_encoder_score,
        bi_encoder_rank=candidate.bi_encoder_rank,
        cross_encoder_score=candidate.cross_encoder_score,
        cross_encoder_rank=candidate.cross_encoder_rank,
    )
