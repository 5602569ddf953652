"""One score from the two stages.

The bi-encoder knows what a job is about, the cross-encoder how query and posting fit in detail;
their weighted sum ranks better than either. Weights are fitted on validation queries and travel
with the cross-encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from jobsentinel_workers.encoders import FloatArray

SCORE_DECIMALS = 6
"""Scores are rounded so: equal texts tie exactly, whatever batch each was computed in."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of a logistic function of the cosine and of the cross-encoder's logit."""

    cosine_weight: float
    cross_weight: float
    bias: float

    def score(self, cosines: FloatArray, logits: FloatArray) -> npt.NDArray[np.float64]:
        """Return (n,) relevance in 0..1 from (n,) cosines and (n,) logits."""
        total = self.cosine_weight * cosines.astype(np.float64) + self.cross_weight * logits
        scores: npt.NDArray[np.float64] = np.round(expit(total + self.bias), SCORE_DECIMALS)
        return scores
