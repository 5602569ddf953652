"""Groups of texts that are copies of one another, so that a split keeps them together."""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.encoders import FloatArray

DUPLICATE_COSINE = 0.95


def duplicate_groups(embeddings: FloatArray, threshold: float = DUPLICATE_COSINE) -> list[int]:
    """Return a group number for each of (n, d) unit embeddings; chains of copies share one."""
    parents = list(range(len(embeddings)))

    def root(position: int) -> int:
        while parents[position] != position:
            parents[position] = parents[parents[position]]
            position = parents[position]
        return position

    for first, second in np.argwhere(np.triu(embeddings @ embeddings.T >= threshold, k=1)):
        parents[root(int(second))] = root(int(first))
    return [root(position) for position in range(len(embeddings))]
