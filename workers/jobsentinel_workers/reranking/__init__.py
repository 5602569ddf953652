"""Reranking: bi-encoder retrieval, then a cross-encoder, joined into one score."""

from __future__ import annotations

from jobsentinel_workers.reranking.cross_encoder import CrossEncoderReranker
from jobsentinel_workers.reranking.fusion import Fusion
from jobsentinel_workers.reranking.hybrid import HybridRanker
from jobsentinel_workers.reranking.pair_model import PairLimits, PairModel
from jobsentinel_workers.reranking.rankings import Candidate, RankedCandidate, RerankResult

__all__ = [
    "Candidate",
    "CrossEncoderReranker",
    "Fusion",
    "HybridRanker",
    "PairLimits",
    "PairModel",
    "RankedCandidate",
    "RerankResult",
]
