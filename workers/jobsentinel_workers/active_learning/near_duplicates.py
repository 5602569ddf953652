"""Keeping near-duplicates out of one batch: a reposted job costs a label and teaches nothing.

They are put off, not dropped: when the rest of the pool is used up, they follow, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobsentinel_workers.active_learning.checks import Indices, Vectors
from jobsentinel_workers.active_learning.vectors import closest_cosine

NEAR_DUPLICATE_COSINE: Final = 0.98
_FIRST_BLOCK, _LARGEST_BLOCK = 64, 1_024


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate that is picked.

    Attributes:
        twin: the earlier pick that it nearly repeats, None for a candidate of its own kind.
        cosine: the similarity with that pick.
        repeats_labelled: whether it nearly repeats something labelled.
    """

    index: int
    twin: int | None = None
    cosine: float = 0.0
    repeats_labelled: bool = False


def place(
    order: Indices,
    unit: Vectors,
    count: int,
    *,
    placed: Sequence[Placed],
    labelled: Vectors,
    limit: float,
) -> list[Placed]:
    """Pick ``count`` candidates in ``order`` on top of ``placed``, near-duplicates last.

    Those that nearly repeat something labelled come after all others, and those that nearly
    repeat a pick after these.

    Args:
        order: candidates from the first to the last choice.
        unit: (n, d) unit embeddings; with none, candidates are picked in plain order.
        placed: what is picked already; it is not repeated.
        labelled: (m, d) unit embeddings of what is labelled.
        limit: cosine above which two candidates are near-duplicates.
    """
    order = order[~np.isin(order, [each.index for each in placed])]
    if not len(unit):
        return [Placed(int(index)) for index in order[:count]]
    kept = [each.index for each in placed]
    fresh: list[Placed] = []
    twins: list[Placed] = []
    known: list[int] = []
    # Nothing beyond the first `count` of their own kind is compared with what is labelled.
    for block in _blocks(order, count):
        repeats = closest_cosine(unit[block], labelled) > limit
        known += block[repeats].tolist()
        _sort_out(block[~repeats], unit, kept, limit, (fresh, twins))
        if len(fresh) >= count:
            return fresh[:count]
    late: tuple[list[Placed], list[Placed]] = ([], [])
    for block in _blocks(np.array(known, dtype=np.intp), count):
        _sort_out(block, unit, kept, limit, late)
        if len(fresh) + len(late[0]) >= count:
            break
    repeated = [
        Placed(each.index, each.twin, each.cosine, repeats_labelled=True)
        for each in (*late[0], *late[1])
    ]
    own = len(late[0])
    return (fresh + repeated[:own] + twins + repeated[own:])[:count]


def _blocks(order: Indices, count: int) -> Iterator[Indices]:
    """Yield blocks of growing size: most batches of ``count`` end in the first one."""
    start, rows = 0, min(_FIRST_BLOCK, count + count // 8 + 2)
    while start < len(order):
        yield order[start : start + rows]
        start, rows = start + rows, min(2 * rows, _LARGEST_BLOCK)


def _sort_out(
    block: Indices,
    unit: Vectors,
    kept: list[int],
    limit: float,
    found: tuple[list[Placed], list[Placed]],
) -> None:
    """Append each candidate to the fresh or to the twins of ``found``, and the fresh to ``kept``.

    One matrix product a block instead of one product a candidate: ten times faster.
    """
    fresh, twins = found
    outside = np.array(kept, dtype=np.intp)
    cosines = unit[block] @ unit[np.concatenate((outside, block))].T
    # A candidate is compared with those before it only.
    cosines[:, len(outside) :] = np.tril(cosines[:, len(outside) :], k=-1)
    near: NDArray[np.bool_] = np.greater(cosines, limit)
    crowded = frozenset(np.nonzero(near)[0].tolist())
    dropped = np.zeros(near.shape[1], dtype=np.bool_)
    for row, index in enumerate(block.tolist()):
        nearest = -1
        if row in crowded:
            close = np.where(near[row] & ~dropped, cosines[row], -1.0)
            nearest = int(close.argmax()) if close.max() > limit else -1
        if nearest < 0:
            fresh.append(Placed(index))
            kept.append(index)
            continue
        twin = outside[nearest] if nearest < len(outside) else block[nearest - len(outside)]
        twins.append(Placed(index, int(twin), float(cosines[row, nearest])))
        dropped[len(outside) + row] = True
