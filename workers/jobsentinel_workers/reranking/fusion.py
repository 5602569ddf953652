"""One score from all stages.

The bi-encoder knows what a job is about, words whether it bears the same name, the cross-encoder
how query and posting fit in detail; their weighted sum ranks better than each. Weights are fitted
on validation queries and travel with the cross-encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

SCORE_DECIMALS = 6
"""Scores are rounded so: equal texts tie exactly, whatever batch each was computed in."""

Numbers = npt.NDArray[np.floating]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of a logistic function of the cosine, the cross-encoder's logit and the words.

    Attributes:
        cosine_weight: of the bi-encoder's cosine.
        cross_weight: of the cross-encoder's logit.
        bias: what a candidate has at zeros.
        lexical_weight: of the BM25 score as a share of the best candidate's, from 0 to 1.
    """

    cosine_weight: float
    cross_weight: float
    bias: float
    lexical_weight: float = 0.0

    def score(self, cosines: Numbers, logits: Numbers, lexical: Numbers | None = None) -> Scores:
        """Return (n,) relevance in 0..1 from (n,) cosines, logits and shares of the best BM25.

        Without ``lexical`` words were not looked at and say nothing.
        """
        total = self.cosine_weight * cosines.astype(np.float64) + self.cross_weight * logits
        if lexical is not None:
            total = total + self.lexical_weight * lexical
        scores: Scores = np.round(expit(total + self.bias), SCORE_DECIMALS)
        return scores


def shares_of_best(bm25: Numbers) -> Scores:
    """Return (..., n) BM25 scores as shares of the highest among the n; zeros stay zeros.

    The scale of BM25 differs from query to query, so only shares can have one weight for all.
    """
    best = bm25.max(axis=-1, keepdims=True, initial=0.0).astype(np.float64)
    shares: Scores = np.divide(bm25, best, out=np.zeros(bm25.shape), where=best > 0)
    return shares
