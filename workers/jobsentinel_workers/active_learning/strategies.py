"""How each strategy orders a pool and picks from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobsentinel_workers.active_learning.acquisition import (
    descending,
    least_confidence,
    margin_uncertainty,
    normalised_entropy,
)
from jobsentinel_workers.active_learning.checks import Floats, Indices, Vectors
from jobsentinel_workers.active_learning.clusters import Clustering, cluster_pool
from jobsentinel_workers.active_learning.near_duplicates import Placed, place
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.reasons import (
    explain_cluster,
    explain_random,
    explain_repeat,
    explain_uncertainty,
)

HYBRID_UNCERTAIN_SHARE: Final = 0.7
_SCORERS: Final = {
    QueryStrategy.UNCERTAINTY: least_confidence,
    QueryStrategy.MARGIN: margin_uncertainty,
    QueryStrategy.ENTROPY: normalised_entropy,
}

Chosen: TypeAlias = tuple[Placed, str, QueryStrategy]
"""A picked candidate, the reason, and the strategy that picked it."""


@dataclass(frozen=True, slots=True)
class CheckedPool:
    """The checked input of one selection.

    ``probabilities`` has no rows for a strategy that does without; ``unit`` and ``labelled`` are
    unit vectors, ``repeated`` (n,) marks near-duplicates of what is labelled, ``count`` is at most
    ``size``.
    """

    strategy: QueryStrategy
    probabilities: Floats
    names: tuple[str, ...]
    unit: Vectors | None
    labelled: Vectors | None
    repeated: NDArray[np.bool_]
    size: int
    count: int
    seed: int
    limit: float

    def take(self, order: Indices, count: int, placed: list[Placed]) -> list[Placed]:
        """Pick ``count`` more in ``order``, keeping near-duplicates for last."""
        fresh_first = order[np.argsort(self.repeated[order], kind="stable")]
        return place(fresh_first, self.unit, count, placed=placed, limit=self.limit)

    def with_reasons(
        self, placed: list[Placed], explain: Callable[[int], str], strategy: QueryStrategy
    ) -> list[Chosen]:
        """Return the picks with what ``explain`` says of each row, and a note on repetition."""
        notes = [explain_repeat(explain(each.index), self.repeated[each.index]) for each in placed]
        return [(each, note, strategy) for each, note in zip(placed, notes, strict=True)]


def choose(pool: CheckedPool) -> tuple[Floats, list[Chosen]]:
    """Return every candidate's acquisition score (n,) and the picks in order."""
    if pool.strategy is QueryStrategy.RANDOM:
        return _choose_random(pool)
    if pool.strategy is QueryStrategy.DIVERSITY:
        return _choose_diverse(pool, pool.count, [])
    if pool.strategy is QueryStrategy.HYBRID:
        return _choose_hybrid(pool)
    return _choose_uncertain(pool, pool.strategy, pool.count)


def _choose_random(pool: CheckedPool) -> tuple[Floats, list[Chosen]]:
    scores = np.random.default_rng(pool.seed).random(pool.size)
    reason = explain_random(pool.seed)
    drawn = descending(scores)[: pool.count]
    return scores, [(Placed(int(row)), reason, QueryStrategy.RANDOM) for row in drawn]


def _choose_uncertain(
    pool: CheckedPool, strategy: QueryStrategy, count: int
) -> tuple[Floats, list[Chosen]]:
    scores = _SCORERS[strategy](pool.probabilities)
    placed = pool.take(descending(scores), count, [])

    def explain(row: int) -> str:
        return explain_uncertainty(strategy, pool.probabilities, pool.names, row, scores[row])

    return scores, pool.with_reasons(placed, explain, strategy)


def _choose_diverse(
    pool: CheckedPool, count: int, placed: list[Placed]
) -> tuple[Floats, list[Chosen]]:
    assert pool.unit is not None  # checked on the way in
    clusters = cluster_pool(pool.unit, count, _covered(pool, placed), pool.seed)
    chosen = pool.take(clusters.order, count, placed)
    words = [
        name
        for name, here in (("labelled", pool.labelled is not None), ("picked", bool(placed)))
        if here
    ]
    return clusters.scores, pool.with_reasons(
        chosen, _cluster_explainer(clusters, " or ".join(words)), QueryStrategy.DIVERSITY
    )


def _choose_hybrid(pool: CheckedPool) -> tuple[Floats, list[Chosen]]:
    uncertain_count = max(1, round(HYBRID_UNCERTAIN_SHARE * pool.count))
    diverse_count = pool.count - uncertain_count
    confidence, uncertain = _choose_uncertain(pool, QueryStrategy.UNCERTAINTY, uncertain_count)
    placed = [each for each, _, _ in uncertain]
    spread, diverse = _choose_diverse(pool, max(1, diverse_count), placed)
    scores = HYBRID_UNCERTAIN_SHARE * confidence + (1 - HYBRID_UNCERTAIN_SHARE) * spread
    return scores, uncertain + diverse[:diverse_count]


def _covered(pool: CheckedPool, placed: list[Placed]) -> Vectors | None:
    assert pool.unit is not None  # checked on the way in
    parts = [pool.unit[[each.index for each in placed]]] if placed else []
    parts += [pool.labelled] if pool.labelled is not None else []
    return np.concatenate(parts) if parts else None


def _cluster_explainer(clusters: Clustering, covered_by: str) -> Callable[[int], str]:
    return lambda row: explain_cluster(clusters, row, covered_by)
