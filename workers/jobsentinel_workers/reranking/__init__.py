"""Reranking: retrieval by embeddings and words, then ever closer looks at what was found."""

from __future__ import annotations

from jobsentinel_workers.reranking.cross_encoder import CrossEncoderReranker
from jobsentinel_workers.reranking.fusion import Fusion
from jobsentinel_workers.reranking.hybrid import HybridRanker
from jobsentinel_workers.reranking.late_interaction import LateInteractionScorer
from jobsentinel_workers.reranking.pair_model import PairLimits, PairModel
from jobsentinel_workers.reranking.rank_fusion import reciprocal_rank_fusion
from jobsentinel_workers.reranking.rankings import Candidate, RankedCandidate, RerankResult
from jobsentinel_workers.reranking.sparse import SparseScorer
from jobsentinel_workers.reranking.stages import Scorer, Stage

__all__ = [
    "Candidate",
    "CrossEncoderReranker",
    "Fusion",
    "HybridRanker",
    "LateInteractionScorer",
    "PairLimits",
    "PairModel",
    "RankedCandidate",
    "RerankResult",
    "Scorer",
    "SparseScorer",
    "Stage",
    "reciprocal_rank_fusion",
]
