"""Strategies that keep picks apart: k-center, its mix with margins, and BADGE.

Distances are Euclidean between unit embeddings, from 0 to 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from jobsentinel_workers.active_learning.acquisition import descending, margin_uncertainty
from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.gradients import GradientEmbeddings
from jobsentinel_workers.active_learning.one_by_one import Open, farthest_first, pick_one_by_one
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice
from jobsentinel_workers.active_learning.reasons import (
    explain_badge,
    explain_farthest,
    explain_margin,
)
from jobsentinel_workers.active_learning.vectors import closest_cosine, to_distance

MARGIN_CANDIDATES: Final = 10
"""Margin with k-center looks at so many of the closest margins for each pick."""
_FARTHEST: Final = 2.0

Explain: TypeAlias = Callable[[int], str]


def choose_by_k_center(pool: CheckedPool) -> Choice:
    """Pick what is farthest from everything labelled or picked, again and again.

    Source: Sener and Savarese, Active learning for convolutional neural networks: a core-set
    approach, 2018. For a value this is GSx of Wu, Lin and Huang, 2019: with nothing labelled, the
    candidate nearest to the pool's mean comes first.
    """
    scores, order = _spread(pool, None)
    return scores, pool.with_reasons(pool.take(order), _farthest_explainer(pool, scores, order))


def choose_by_margin_k_center(pool: CheckedPool) -> Choice:
    """Pick by k-center among the ten times as many candidates with the closest margins.

    A prefilter by margin, then diversity: Zhdanov, Diverse mini-batch active learning, 2019, with
    k-center in place of k-means.
    """
    scores = margin_uncertainty(pool.probabilities)
    apart, order = _spread(pool, _closest_margins(pool, scores))
    farthest, picked = _farthest_explainer(pool, apart, order), frozenset(order)

    def explain(row: int) -> str:
        margin = explain_margin(pool.probabilities, pool.names, row)
        return f"{margin}; {farthest(row)}" if row in picked else margin

    # Where too few of them are of their own kind, the next margins follow.
    ranked = descending(scores)
    rest = ranked[~np.isin(ranked, order)]
    return scores, pool.with_reasons(pool.take(np.concatenate((order, rest))), explain)


def choose_by_badge(pool: CheckedPool) -> Choice:
    """Draw gradients that are long and unlike each other, by k-means++ seeding.

    Source: Ash et al., Deep batch active learning by diverse, uncertain gradient lower bounds,
    2020. The first is the longest gradient; each other is drawn by its squared distance to the
    nearest that is picked. Scores are the gradients' squared lengths.
    """
    gradients = GradientEmbeddings(pool.probabilities, pool.unit, pool.lengths)
    draw = _DrawByDistance(gradients, pool)
    order = pick_one_by_one(pool, draw.next_best, draw.cover)
    lengths = gradients.squared_lengths
    likeliest = pool.probabilities.argmax(axis=1)

    def explain(row: int) -> str:
        length = float(np.sqrt(lengths[row]))
        return explain_badge(pool.names, int(likeliest[row]), length, pool.seed)

    return lengths, pool.with_reasons(pool.take(order), explain)


class _DrawByDistance:
    """k-means++ seeding (Arthur and Vassilvitskii, 2007) over gradient embeddings.

    The origin counts as picked, as in scikit-activeml: else a candidate that the model is sure of,
    whose gradient is next to nothing, would be drawn for being far from a long gradient.
    """

    def __init__(self, gradients: GradientEmbeddings, pool: CheckedPool) -> None:
        self._gradients = gradients
        self._rng = np.random.default_rng(pool.seed)
        self._left = gradients.squared_lengths.copy()
        for each in pool.placed:
            self.cover(each.index)
        self._started = False

    def next_best(self, open_: Open) -> int:
        """Return the longest gradient for a start, then a draw by squared distance."""
        weights = np.where(open_, self._left, 0.0)
        sums = np.cumsum(weights)
        if not sums[-1] > 0:
            # Only copies of gradients that are picked are left: each is as good.
            return int(self._rng.choice(np.flatnonzero(open_)))
        if not self._started:
            return int(weights.argmax())
        # A sum is first exceeded at a candidate that adds to it, so a closed one is never drawn.
        target = min(self._rng.random() * sums[-1], np.nextafter(sums[-1], 0.0))
        return int(np.searchsorted(sums, target, side="right"))

    def cover(self, row: int) -> None:
        """Measure distances to ``row`` too."""
        np.minimum(self._left, self._gradients.squared_distances(row), out=self._left)
        self._started = True


def _spread(pool: CheckedPool, allowed: Open | None) -> tuple[Floats, list[int]]:
    """Return distances (n,) and picks among the ``allowed``; of the others no distance is taken."""
    rows = slice(None) if allowed is None else np.flatnonzero(allowed)
    unit, covered = pool.unit[rows], pool.covered()

    def spread_over(distances: Floats) -> Floats:
        everywhere = np.zeros(pool.size)
        everywhere[rows] = distances
        return everywhere

    if len(covered):
        start = spread_over(to_distance(closest_cosine(unit, covered)))
    else:
        start = _middle_first(pool, allowed)
    return farthest_first(
        pool, start, lambda row: spread_over(to_distance(unit @ pool.unit[row])), allowed
    )


def _closest_margins(pool: CheckedPool, scores: Floats) -> Open:
    allowed = np.zeros(pool.size, dtype=np.bool_)
    allowed[descending(scores)[: MARGIN_CANDIDATES * pool.count]] = True
    return allowed


def _middle_first(pool: CheckedPool, allowed: Open | None) -> Floats:
    """Return distances that put the candidate nearest to the mean first, all others below it."""
    among: Floats = np.ones(pool.size) if allowed is None else allowed.astype(np.float64)
    mean = among.astype(np.float32) @ pool.unit / among.sum()
    # Squared distances to the mean, less what is the same for all; a zero row has length 0.
    nearness = pool.unit @ mean - (pool.lengths > 0) / 2
    start = np.full(pool.size, _FARTHEST)
    start[int(np.where(among > 0, nearness, -np.inf).argmax())] = np.nextafter(_FARTHEST, 3.0)
    return start


def _farthest_explainer(pool: CheckedPool, distances: Floats, order: list[int]) -> Explain:
    labelled = bool(len(pool.labelled.unit))
    first = order[0] if order and not labelled and not pool.placed else None
    words = "labelled or picked" if labelled else "picked"

    def explain(row: int) -> str:
        if row == first:
            return explain_farthest("", None)
        return explain_farthest(words, 1.0 - float(distances[row]) ** 2 / 2.0)

    return explain
