"""Batches whose next pick depends on those before: farthest first, and draws by distance.

A candidate is compared with what is labelled or picked only when its turn comes, so that
near-duplicates cost one small product each instead of one over the whole pool.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.pool import CheckedPool

Open: TypeAlias = NDArray[np.bool_]
"""(n,) the candidates that may be picked now; one of them or more."""


def pick_one_by_one(
    pool: CheckedPool,
    next_best: Callable[[Open], int],
    picked: Callable[[int], None],
    allowed: Open | None = None,
) -> list[int]:
    """Return up to ``pool.count`` candidates, near-duplicates last.

    Args:
        next_best: returns the candidate to pick among the open ones.
        picked: is told of each pick before the next one is asked for.
        allowed: (n,) the candidates to choose among; all by default.
    """
    open_ = np.ones(pool.size, dtype=np.bool_) if allowed is None else allowed.copy()
    open_[[each.index for each in pool.placed]] = False
    kept = [each.index for each in pool.placed]
    order: list[int] = []
    put_off: list[int] = []
    strict = True
    while len(order) < pool.count:
        if not open_.any():
            if not put_off:
                break
            open_[put_off], put_off, strict = True, [], False
        row = next_best(open_)
        open_[row] = False
        if strict and _repeats(pool, row, kept):
            put_off.append(row)
            continue
        order.append(row)
        kept.append(row)
        picked(row)
    return order


def farthest_first(
    pool: CheckedPool,
    distances: Floats,
    distance_to: Callable[[int], Floats],
    allowed: Open | None = None,
) -> tuple[Floats, list[int]]:
    """Pick what is farthest from everything covered, again and again.

    Args:
        distances: (n,) to the nearest that is covered.
        distance_to: returns the (n,) distances to one candidate.

    Returns:
        Scores (n,): of a pick its distance when it was picked, of the others what is left of
        theirs after the last pick. And the picks in order.
    """
    left, scores = distances.copy(), np.zeros(pool.size)
    masked = np.empty(pool.size)

    def farthest(open_: Open) -> int:
        masked.fill(-np.inf)
        np.copyto(masked, left, where=open_)
        return int(masked.argmax())

    def cover(row: int) -> None:
        scores[row] = left[row]
        np.minimum(left, distance_to(row), out=left)

    order = pick_one_by_one(pool, farthest, cover, allowed)
    others = np.ones(pool.size, dtype=np.bool_)
    others[order] = False
    scores[others] = left[others]
    return scores, order


def _repeats(pool: CheckedPool, row: int, kept: list[int]) -> bool:
    if not len(pool.unit):
        return False
    own = pool.unit[row]
    repeats_pick = bool(kept) and float((pool.unit[kept] @ own).max()) > pool.limit
    return repeats_pick or bool(
        len(pool.labelled.unit) and float((pool.labelled.unit @ own).max()) > pool.limit
    )
