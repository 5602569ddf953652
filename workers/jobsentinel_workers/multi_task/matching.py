"""How well a posting fits a profile: a logistic function of their embeddings' product."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from jobsentinel_workers.encoders import FloatArray


class PairScorer(nn.Module):
    """The probability that a posting suits a profile, from both embeddings.

    The logit is a weighted sum over the element-wise product of the two unit vectors. With equal
    weights that is a scaled cosine; learning may weigh dimensions that tell jobs apart.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.trained = False
        self.weights = nn.Parameter(torch.full((embedding_dim,), 10.0))
        self.bias = nn.Parameter(torch.tensor(-5.0))

    def forward(self, profiles: torch.Tensor, postings: torch.Tensor) -> torch.Tensor:
        """Return (n,) logits of (n, d) or (d,) profiles against (n, d) postings."""
        logits: torch.Tensor = (profiles * postings) @ self.weights + self.bias
        return logits

    @torch.inference_mode()
    def score(self, profile: FloatArray, postings: FloatArray) -> FloatArray:
        """Return (n,) float32 probabilities for one (d,) profile and (n, d) postings."""
        parameter = self.weights
        logits = self(_like(profile, parameter), _like(postings, parameter))
        return np.asarray(torch.sigmoid(logits).cpu().numpy(), dtype=np.float32)


def _like(array: FloatArray, parameter: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(parameter)
