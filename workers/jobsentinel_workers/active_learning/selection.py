"""Choose candidates: one call for all strategies, with every score and every reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.canonical_order import CanonicalOrder
from jobsentinel_workers.active_learning.checks import check_count, check_seed, check_share
from jobsentinel_workers.active_learning.known_strategies import check_choice, strategy_named
from jobsentinel_workers.active_learning.near_duplicates import NEAR_DUPLICATE_COSINE, Placed
from jobsentinel_workers.active_learning.picks import Pick, Selection, describe
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice, Strategy
from jobsentinel_workers.active_learning.pool_input import PoolInput, check_pool
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.random_share import (
    RANDOM_SHARE,
    draw_random,
    random_count,
    spread_out,
)

__all__ = ["Pick", "Selection", "select"]


def select(
    strategy: QueryStrategy | str,
    probabilities: Any = None,
    embeddings: Any = None,
    *,
    num_samples: int,
    values: Any = None,
    committee_probabilities: Any = None,
    committee_values: Any = None,
    labelled_embeddings: Any = None,
    labelled_probabilities: Any = None,
    labelled_values: Any = None,
    class_names: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    seed: int = 0,
    random_share: float = RANDOM_SHARE,
    near_duplicate_cosine: float = NEAR_DUPLICATE_COSINE,
) -> Selection:
    """Choose ``num_samples`` candidates of a pool, or the whole pool if it is smaller.

    The same input and seed give the same picks. Candidates whose embeddings are closer than
    ``near_duplicate_cosine`` do not share a batch while others are left; those drawn at random are
    exempt, because an unbiased sample must not choose.

    Args:
        strategy: a name of `QueryStrategy`, or one that an installed package adds.
        probabilities: (n, c) of a classifier.
        embeddings: (n, d); where a strategy does not need them they keep near-duplicates apart.
        values: (n,) predictions of a regression.
        committee_probabilities: (k, n, c) of k classifiers.
        committee_values: (k, n) of k regressions.
        labelled_embeddings: (m, d) of what is labelled: its near-duplicates come last.
        labelled_probabilities: (m, c) that the model gives to what is labelled.
        labelled_values: (m,) the labels of a regression.
        class_names: c names for the reasons.
        ids: n names of the candidates. With them, the order of the candidates makes no difference.
        random_share: part of the batch that is drawn evenly, to judge the model by.

    Raises:
        InvalidInput: naming the argument, and the row where one row is wrong.

    Example:
        >>> chosen = select("margin", [[0.9, 0.1], [0.52, 0.48]], num_samples=1)
        >>> chosen.picks[0].reason
        'margin 0.04 between class 0 and class 1'
    """
    given = PoolInput(
        probabilities=probabilities,
        embeddings=embeddings,
        values=values,
        committee_probabilities=committee_probabilities,
        committee_values=committee_values,
        labelled_embeddings=labelled_embeddings,
        labelled_probabilities=labelled_probabilities,
        labelled_values=labelled_values,
    )
    asked = _Asked(
        strategy=str(strategy),
        count=check_count(num_samples, "num_samples"),
        share=check_share(random_share, "random_share"),
        seed=check_seed(seed),
        limit=_check_limit(near_duplicate_cosine),
        class_names=class_names,
    )
    order = CanonicalOrder.of(ids)
    # More threads than free cores make this several times slower, not faster.
    with _blas_threads().limit(limits=1):
        return order.restore(asked.of(order.arrange(given), order.size))


@cache
def _blas_threads() -> ThreadpoolController:
    # Looking for the libraries takes as long as a selection does.
    return ThreadpoolController()


@dataclass(frozen=True, slots=True)
class _Asked:
    """The checked wishes of one selection."""

    strategy: str
    count: int
    share: float
    seed: int
    limit: float
    class_names: Sequence[str] | None

    def of(self, given: PoolInput, size: int | None) -> Selection:
        """Return what is chosen of ``given``, of which there are ``size`` if there are ids."""
        known = strategy_named(self.strategy)
        pool = check_pool(
            given,
            known,
            self.strategy,
            size=size,
            class_names=self.class_names,
            seed=self.seed,
            limit=self.limit,
        )
        scores, chosen = _choose(known, pool, min(self.count, pool.size), self.share)
        drawn_only = self.strategy == QueryStrategy.RANDOM.value
        return Selection(
            strategy=self.strategy,
            seed=self.seed,
            scores=scores,
            picks=describe(chosen, scores),
            near_duplicates_checked=bool(len(pool.unit)) and not drawn_only,
            random_share=self.share,
        )


def _choose(known: Strategy, pool: CheckedPool, count: int, share: float) -> Choice:
    if not count:
        return np.zeros(0), []
    drawn = draw_random(pool, random_count(share, count))
    if pool.strategy == QueryStrategy.RANDOM.value:
        drawn = []
    rest = replace(
        pool, count=count - len(drawn), placed=tuple(Placed(each.index) for each, _, _ in drawn)
    )
    scores, chosen = check_choice(known.choose(rest), rest, pool.strategy)
    return scores, spread_out(chosen, drawn)


def _check_limit(limit: float) -> float:
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit <= 1:
        raise InvalidInput("near_duplicate_cosine", "must be above 0 and at most 1")
    return float(limit)
