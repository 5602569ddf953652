"""Ranking inline candidates or the indexed postings: retrieval, then ever closer looks."""

from __future__ import annotations

from dataclasses import dataclass

from jobsentinel.contract import requests, results
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import Runner, SequenceModel
from jobsentinel_workers.inference.arranging import arrange
from jobsentinel_workers.inference.candidates import Candidates
from jobsentinel_workers.inference.embeddings import embed
from jobsentinel_workers.inference.index_encoder import IndexEncoder
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import RERANKER
from jobsentinel_workers.multi_task import scored_text
from jobsentinel_workers.reranking import HybridRanker, Stage
from jobsentinel_workers.reranking.clock import Clock
from jobsentinel_workers.store import Database


@dataclass(frozen=True, slots=True)
class Ranking:
    """Answers one ranking request.

    ``index`` says which encoder's index answers; without it, it is that of the base encoder.
    """

    database: Database
    models: ServingModels
    runner: Runner
    index: IndexEncoder | None = None

    def rank(self, request: requests.RerankRequest) -> results.RerankResult:
        """Return the best candidates, with score and rank at each stage and the reason for each.

        Raises:
            ModelUnavailable: the first stage asked for does not exist.
            InvalidInput: it is no similarity model, or has nothing indexed.
        """
        if request.candidates is not None and not request.candidates:
            return _nothing(request)
        clock = Clock()
        encoder, stamp, note = self._encoder(request)
        reranker = self.models.reranker()
        asking = reranker.model.query_encoder(encoder)
        query = embed(self.database, asking, [scored_text(request.query)], self.runner).vectors[0]
        clock.lap("query")
        candidates = Candidates(self.database, encoder, self.runner, clock)
        if request.candidates is None:
            pool = candidates.indexed(request, query)
        else:
            pool = candidates.sent(request)
        scorers = self.models.stages
        ranker = HybridRanker(
            encoder,
            first_stage=request.first_stage,
            stages=[
                *(scorer.keeping(request.final_top_k) for scorer in scorers),
                Stage(reranker.model),
            ],
            initial_top_k=request.initial_top_k,
            final_top_k=request.initial_top_k,  # cut once copies are put together
            runner=self.runner,
        )
        ranked = ranker.rank(
            request.query,
            pool.candidates,
            query_embedding=query,
            lexical_scores=pool.lexical_scores,
        )
        clock.add(ranked.timings_ms)
        arranged = arrange(ranked.reranked_candidates, pool, request)
        clock.lap("arrange")
        return results.RerankResult(
            ranked=arranged.postings,
            candidates=pool.total,
            timings_ms=clock.timings_ms(),
            models=(stamp, *(scorer.stamp for scorer in scorers), reranker.stamp),
            first_stage=request.first_stage,
            duplicates=arranged.duplicates,
            note=note,
        )

    def _encoder(
        self, request: requests.RerankRequest
    ) -> tuple[SequenceModel, results.ModelStamp, str | None]:
        name = request.bi_encoder
        if name is None and request.candidates is None and self.index is not None:
            serving = self.index.serving()
            return serving.encoder, self.models.stamp(serving.encoder), serving.note
        if name is None:
            return self.models.base, self.models.stamp(self.models.base), None
        if name == RERANKER or request.candidates is None:
            raise InvalidInput(
                "bi_encoder",
                "ranks candidates that come with the request; the index is of the base encoder",
            )
        served = self.models.fine_tuned(name)
        if served.model.config.task != "similarity":
            raise InvalidInput("bi_encoder", f"is {name!r}, which is not a similarity model")
        return served.model, served.stamp, None


def _nothing(request: requests.RerankRequest) -> results.RerankResult:
    return results.RerankResult(
        ranked=(), candidates=0, timings_ms={}, models=(), first_stage=request.first_stage
    )
