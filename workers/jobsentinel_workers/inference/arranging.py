"""From what the ranker ordered to what the user sees: copies put together, variety, reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobsentinel.contract.requests import RerankRequest
from jobsentinel.contract.results import RankedPosting, StageScore
from jobsentinel_workers.inference.candidates import Pool
from jobsentinel_workers.reranking import RankedCandidate
from jobsentinel_workers.reranking.diversity import mmr
from jobsentinel_workers.reranking.near_duplicates import collapse
from jobsentinel_workers.reranking.rankings import CROSS_ENCODER, DENSE, FUSED, LEXICAL
from jobsentinel_workers.reranking.reasons import reason

_NAMED = frozenset((DENSE, LEXICAL, FUSED, CROSS_ENCODER))
"""Stages that have fields of their own; others are those that settings put between."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """What is shown, best first, and how many copies are not."""

    postings: tuple[RankedPosting, ...]
    duplicates: int


def arrange(ranked: Sequence[RankedCandidate], pool: Pool, request: RerankRequest) -> Arranged:
    """Return the final ranking: at most ``final_top_k``, copies left out, varied if asked for."""
    if not ranked:
        return Arranged((), 0)
    by_id = {candidate.id: candidate.embedding for candidate in pool.candidates}
    vectors = np.array([by_id[candidate.id] for candidate in ranked], dtype=np.float32)
    groups = [[n] for n in range(len(ranked))]
    if request.collapse_duplicates:
        stored = [pool.stored.get(candidate.id) for candidate in ranked]
        places = [None if posting is None else posting.location for posting in stored]
        groups = collapse([candidate.text for candidate in ranked], vectors, places)
    kept = [replace(ranked[group[0]], rank=n) for n, group in enumerate(groups, start=1)]
    order = list(range(len(kept)))[: request.final_top_k]
    if request.diversity is not None:
        scores = np.array([candidate.score for candidate in kept])
        first = vectors[[group[0] for group in groups]]
        order = mmr(scores, first, request.final_top_k, 1 - request.diversity)
    shown = tuple(
        _posting(kept[n], rank, [ranked[copy].id for copy in groups[n][1:]], pool)
        for rank, n in enumerate(order, start=1)
    )
    return Arranged(shown, len(ranked) - len(groups))


def _posting(
    candidate: RankedCandidate, rank: int, duplicates: list[str], pool: Pool
) -> RankedPosting:
    stored = pool.stored.get(candidate.id)
    return RankedPosting(
        id=candidate.id,
        rank=rank,
        score=candidate.score,
        bi_encoder_score=candidate.bi_encoder_score,
        bi_encoder_rank=candidate.bi_encoder_rank,
        cross_encoder_score=candidate.scores[CROSS_ENCODER],
        cross_encoder_rank=candidate.ranks[CROSS_ENCODER],
        lexical_score=candidate.scores.get(LEXICAL),
        lexical_rank=candidate.ranks.get(LEXICAL),
        fused_score=candidate.scores.get(FUSED),
        retrieval_rank=candidate.retrieval_rank,
        stages={
            stage: StageScore(score=score, rank=candidate.ranks[stage])
            for stage, score in candidate.scores.items()
            if stage not in _NAMED
        },
        title=None if stored is None else stored.title,
        company=None if stored is None else stored.company,
        location=None if stored is None else stored.location,
        duplicates=tuple(duplicates),
        reason=reason(candidate, rank),
    )
