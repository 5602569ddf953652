"""Choose candidates: one call for all strategies, with every score and every reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.checks import (
    Floats,
    Indices,
    check_count,
    check_seed,
    check_share,
)
from jobsentinel_workers.active_learning.known_strategies import check_choice, strategy_named
from jobsentinel_workers.active_learning.near_duplicates import NEAR_DUPLICATE_COSINE, Placed
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice, Chosen, Strategy
from jobsentinel_workers.active_learning.pool_input import PoolInput, check_pool
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.random_share import (
    RANDOM_SHARE,
    draw_random,
    random_count,
    spread_out,
)
from jobsentinel_workers.active_learning.reasons import explain_twin


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen candidate.

    Attributes:
        index: its row in the pool.
        score: its acquisition score.
        reason: why it was chosen, for the person who labels it.
        chosen_by: the strategy that chose it; ``random`` for the random share, and in a hybrid,
            uncertainty or diversity.
    """

    index: int
    score: float
    reason: str
    chosen_by: str


@dataclass(frozen=True, eq=False)
class Selection:
    """What a strategy makes of a pool: nothing of the pool is left out.

    Attributes:
        scores: (n,) acquisition score of every candidate, 0 or more, higher is more worth a label;
            in the unit of the strategy. A hybrid's is 0.7 x least confidence + 0.3 x diversity;
            its picks go by share.
        picks: the chosen candidates in the order in which to label them.
        near_duplicates_checked: whether embeddings were there to keep near-duplicates apart.
    """

    strategy: str
    seed: int
    scores: Floats
    picks: tuple[Pick, ...]
    near_duplicates_checked: bool
    random_share: float = 0.0

    @property
    def indices(self) -> list[int]:
        """The rows of the chosen candidates, in order."""
        return [pick.index for pick in self.picks]


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
    name, count = str(strategy), check_count(num_samples, "num_samples")
    known, share = strategy_named(name), check_share(random_share, "random_share")
    order = _canonical_order(ids)
    # More threads than free cores make this several times slower, not faster.
    with _blas_threads().limit(limits=1):
        pool = check_pool(
            given if order is None else _reordered(given, order),
            known,
            name,
            size=None if ids is None else len(ids),
            class_names=class_names,
            seed=check_seed(seed),
            limit=_check_limit(near_duplicate_cosine),
        )
        scores, chosen = _choose(known, pool, min(count, pool.size), share)
    picks = _describe(chosen, scores)
    return Selection(
        strategy=name,
        seed=pool.seed,
        scores=scores if order is None else _restored(scores, order),
        picks=picks if order is None else tuple(_renumbered(each, order) for each in picks),
        near_duplicates_checked=bool(len(pool.unit)) and name != QueryStrategy.RANDOM.value,
        random_share=share,
    )


@cache
def _blas_threads() -> ThreadpoolController:
    # Looking for the libraries takes as long as a selection does.
    return ThreadpoolController()


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


def _canonical_order(ids: Sequence[str] | None) -> Indices | None:
    """Return the candidates by id, or None where they are in that order or have no ids."""
    if ids is None or all(one < next_ for one, next_ in pairwise(ids)):
        return None
    order = sorted(range(len(ids)), key=ids.__getitem__)
    for one, next_ in pairwise(order):
        if ids[one] == ids[next_]:
            raise InvalidInput(f"ids.{max(one, next_)}", f"{ids[one]!r} is there twice")
    return np.array(order, dtype=np.intp)


def _reordered(given: PoolInput, order: Indices) -> PoolInput:
    try:
        return given.at(order)
    except IndexError:
        raise InvalidInput("ids", f"are {len(order)}, more than there are candidates") from None


def _restored(scores: Floats, order: Indices) -> Floats:
    restored = np.empty_like(scores)
    restored[order] = scores
    return restored


def _renumbered(pick: Pick, order: Indices) -> Pick:
    return replace(pick, index=int(order[pick.index]))


def _check_limit(limit: float) -> float:
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit <= 1:
        raise InvalidInput("near_duplicate_cosine", "must be above 0 and at most 1")
    return float(limit)


def _describe(chosen: list[Chosen], scores: Floats) -> tuple[Pick, ...]:
    position = {each.index: number for number, (each, _, _) in enumerate(chosen, start=1)}

    def explain(each: Placed, reason: str) -> str:
        return reason if each.twin is None else explain_twin(reason, each, position[each.twin])

    return tuple(
        Pick(each.index, float(scores[each.index]), explain(each, reason), strategy)
        for each, reason, strategy in chosen
    )
