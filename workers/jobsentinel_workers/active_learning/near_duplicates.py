"""Keeping near-duplicates out of one batch: a reposted job costs a label and teaches nothing.

They are put off, not dropped: when the rest of the pool is used up, they follow, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.checks import Indices, Vectors

NEAR_DUPLICATE_COSINE: Final = 0.98
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate that is picked.

    Attributes:
        twin: the earlier pick that it nearly repeats, None for a candidate of its own kind.
        cosine: the similarity with that pick.
    """

    index: int
    twin: int | None = None
    cosine: float = 0.0


def place(
    order: Indices, unit: Vectors | None, count: int, *, placed: list[Placed], limit: float
) -> list[Placed]:
    """Pick ``count`` candidates in ``order`` on top of ``placed``, near-duplicates last.

    Args:
        order: candidates from the first to the last choice.
        unit: (n, d) unit embeddings; None picks in plain order.
        placed: what is picked already; it is not repeated.
        limit: cosine above which two candidates are near-duplicates.
    """
    taken = {each.index for each in placed}
    order = np.array([index for index in order if index not in taken], dtype=np.intp)
    if unit is None:
        return [Placed(int(index)) for index in order[:count]]
    fresh: list[Placed] = []
    repeats: list[Placed] = []
    for candidate in _with_twins(order, unit, [each.index for each in placed], limit):
        if len(fresh) == count:
            break
        (fresh if candidate.twin is None else repeats).append(candidate)
    return fresh + repeats[: count - len(fresh)]


def _with_twins(order: Indices, unit: Vectors, kept: list[int], limit: float) -> Iterator[Placed]:
    """Yield each candidate with the kept one that it nearly repeats, block by block.

    One matrix product a block instead of one product a candidate: ten times faster.
    """
    kept = list(kept)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        outside = unit[block] @ unit[kept].T
        inside = unit[block] @ unit[block].T
        rows: list[int] = []
        for row, index in enumerate(block):
            cosines = np.concatenate((outside[row], inside[row, rows]))
            nearest = int(cosines.argmax()) if len(cosines) else -1
            if nearest >= 0 and cosines[nearest] > limit:
                yield Placed(int(index), kept[nearest], float(cosines[nearest]))
                continue
            rows.append(row)
            kept.append(int(index))
            yield Placed(int(index))
