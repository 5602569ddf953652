"""Orders that do not depend on the order of the input: by score, ties by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating[Any]]


def best_first(scores: Numbers, ids: Sequence[str], top_k: int) -> list[int]:
    """Return positions of the ``top_k`` highest ``scores`` (n,), ties by id."""
    positions = np.arange(len(scores))
    if top_k < len(scores):
        # All that tie with the last place are kept until ids decide.
        bar = np.partition(scores, -top_k)[-top_k]
        positions = np.flatnonzero(scores >= bar)
    order = sorted(positions.tolist(), key=lambda n: (-scores[n], ids[n]))
    return order[:top_k]


def ranks(scores: Numbers, ids: Sequence[str]) -> list[int]:
    """Return for each position its rank from 1."""
    found = [0] * len(ids)
    for rank, position in enumerate(best_first(scores, ids, len(ids)), start=1):
        found[position] = rank
    return found
