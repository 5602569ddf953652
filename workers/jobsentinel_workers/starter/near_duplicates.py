"""Groups of texts that are copies of one another, so that a split keeps them together."""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.fine_tuning.grouping import groups_of_pairs

DUPLICATE_COSINE = 0.95


def duplicate_groups(embeddings: FloatArray, threshold: float = DUPLICATE_COSINE) -> list[int]:
    """Return a group number for each of (n, d) unit embeddings; chains of copies share one."""
    alike = np.argwhere(np.triu(embeddings @ embeddings.T >= threshold, k=1))
    return groups_of_pairs(len(embeddings), ((second, first) for first, second in alike.tolist()))
