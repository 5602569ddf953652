"""Retrieve, then rerank: cheap stages narrow the pool, costly ones order what is left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import normalise
from jobsentinel_workers.encoders import (
    FloatArray,
    Runner,
    SequenceModel,
    TextEncoder,
    run_directly,
)
from jobsentinel_workers.reranking.clock import Clock
from jobsentinel_workers.reranking.cosines import cosines_of
from jobsentinel_workers.reranking.cross_encoder import CrossEncoderReranker
from jobsentinel_workers.reranking.lexical import bm25_scores
from jobsentinel_workers.reranking.ordering import best_first
from jobsentinel_workers.reranking.rankings import (
    Candidate,
    FirstStage,
    RankedCandidate,
    RerankResult,
)
from jobsentinel_workers.reranking.retrieval import retrieve
from jobsentinel_workers.reranking.stages import Entry, Stage, run_stage
from jobsentinel_workers.reranking.validation import (
    check_candidates,
    check_first_stage,
    check_stages,
    check_top_k,
)

PRECISION_AT = 10


class HybridRanker:
    """Ranks candidates for a query, such as a résumé or a search.

    The first stage finds ``initial_top_k`` candidates by embeddings (``dense``), by words
    (``lexical``), or by both joined (``hybrid``). The ``stages`` read these in turn; unless given
    there is one, ``cross_encoder``. The ``final_top_k`` best come back. Models that are not given
    are the packaged encoder and the starter cross-encoder.

    Raises:
        InvalidInput: an option has a value that makes no sense.

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
        first_stage: FirstStage = "hybrid",
        stages: Sequence[Stage] | None = None,
        initial_top_k: int = 100,
        final_top_k: int = 20,
        runner: Runner = run_directly,
    ) -> None:
        check_top_k(initial_top_k, final_top_k)
        check_first_stage(first_stage)
        if stages is None:
            stages = [Stage(cross_encoder or CrossEncoderReranker.load())]
        elif cross_encoder is not None:
            raise InvalidInput("cross_encoder", "must be one of the stages when these are given")
        check_stages({stage.name: stage.keep for stage in stages}, len(stages))
        self.bi_encoder = bi_encoder or TextEncoder.load()
        self.first_stage: FirstStage = first_stage
        self.stages = tuple(stages)
        self.initial_top_k = initial_top_k
        self.final_top_k = final_top_k
        self.runner = runner

    @property
    def cross_encoder(self) -> CrossEncoderReranker | None:
        """The cross-encoder among the stages, if there is one."""
        scorers = (stage.scorer for stage in self.stages)
        return next((s for s in scorers if isinstance(s, CrossEncoderReranker)), None)

    @property
    def query_encoder(self) -> SequenceModel:
        """What encodes queries: the bi-encoder, or what the cross-encoder's adapter makes of it."""
        cross_encoder = self.cross_encoder
        if cross_encoder is None:
            return self.bi_encoder
        return cross_encoder.query_encoder(self.bi_encoder)

    def rank(
        self,
        query: str,
        candidates: Sequence[Candidate],
        relevant_ids: Collection[str] | None = None,
        query_embedding: FloatArray | None = None,
        lexical_scores: Mapping[str, float] | None = None,
    ) -> RerankResult:
        """Return ``candidates`` ranked for ``query``; no candidates give an empty ranking.

        Ties are broken by id at each stage.

        Args:
            query: the text to rank for.
            candidates: what is ranked.
            relevant_ids: if given, the result says how reranking changed P@10.
            query_embedding: (d,), if the query was encoded already, by ``query_encoder``.
            lexical_scores: BM25 scores by id, if an index gave them already.

        Raises:
            InvalidInput: the query or a text is empty, an id repeats, an embedding does not fit,
                or a stage gives no scores.
        """
        if not isinstance(query, str) or not normalise(query):
            raise InvalidInput("query", "must be text and not empty after normalisation")
        check_candidates(candidates)
        count, clock = len(candidates), Clock()
        lexical = self._lexical(query, candidates, lexical_scores)
        if lexical_scores is None and self.first_stage != "dense":
            clock.lap("lexical")
        if self.first_stage == "lexical":
            # What no word leads to is out, and need not be encoded.
            candidates = [candidate for candidate in candidates if candidate.id in lexical]
        if query_embedding is None and candidates:
            query_embedding = self.runner(self.query_encoder, [query])[0]
        cosines = cosines_of(self.bi_encoder, candidates, query_embedding, self.runner)
        clock.lap("dense")
        entries = retrieve(candidates, cosines, lexical, self.first_stage, self.initial_top_k)
        clock.lap("fuse")
        for stage in self.stages:
            entries = run_stage(stage, query, entries, self.runner)
            clock.lap(stage.name)
        ranked = [_ranked(rank, entry) for rank, entry in enumerate(entries, start=1)]
        return RerankResult(
            reranked_candidates=ranked[: self.final_top_k],
            candidate_count=count,
            timings_ms=clock.timings_ms(),
            model_ids=self._model_ids(),
            precision_improvement=_improvement(ranked, candidates, cosines, relevant_ids),
        )

    def _lexical(
        self,
        query: str,
        candidates: Sequence[Candidate],
        given: Mapping[str, float] | None,
    ) -> dict[str, float]:
        if self.first_stage == "dense":
            return {}
        if given is None:
            scores = bm25_scores(query, [candidate.text for candidate in candidates])
            given = dict(zip((c.id for c in candidates), scores.tolist(), strict=True))
        there = {candidate.id for candidate in candidates}
        return {id_: score for id_, score in given.items() if score > 0 and id_ in there}

    def _model_ids(self) -> dict[str, str]:
        first = {"bi_encoder": self.bi_encoder.model_id}
        return first | {stage.name: stage.model_id for stage in self.stages}


def _ranked(rank: int, entry: Entry) -> RankedCandidate:
    return RankedCandidate(
        id=entry.candidate.id,
        text=entry.candidate.text,
        rank=rank,
        score=entry.score,
        retrieval_rank=entry.retrieval_rank,
        scores=entry.scores,
        ranks=entry.ranks,
        effects=entry.effects,
    )


def _improvement(
    ranked: Sequence[RankedCandidate],
    candidates: Sequence[Candidate],
    cosines: FloatArray,
    relevant_ids: Collection[str] | None,
) -> float | None:
    if relevant_ids is None:
        return None
    ids = [candidate.id for candidate in candidates]
    before = [ids[n] in relevant_ids for n in best_first(cosines, ids, PRECISION_AT)]
    after = [candidate.id in relevant_ids for candidate in ranked[:PRECISION_AT]]
    return (sum(after) - sum(before)) / PRECISION_AT
