"""Choose candidates: one call for all six strategies, with every score and every reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.checks import (
    Floats,
    Vectors,
    check_class_names,
    check_count,
    check_embeddings,
    check_probabilities,
    check_seed,
)
from jobsentinel_workers.active_learning.clusters import closest_cosine
from jobsentinel_workers.active_learning.near_duplicates import NEAR_DUPLICATE_COSINE, Placed
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.reasons import explain_twin
from jobsentinel_workers.active_learning.strategies import CheckedPool, Chosen, choose


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen candidate.

    Attributes:
        index: its row in the pool.
        score: its acquisition score.
        reason: why it was chosen, for the person who labels it.
        chosen_by: the strategy that chose it; in a hybrid, uncertainty or diversity.
    """

    index: int
    score: float
    reason: str
    chosen_by: QueryStrategy


@dataclass(frozen=True, eq=False)
class Selection:
    """What a strategy makes of a pool: nothing of the pool is left out.

    Attributes:
        scores: (n,) acquisition score of every candidate, 0 to 1, higher is more worth a label.
            A hybrid's is 0.7 x least confidence + 0.3 x diversity; its picks go by share.
        picks: the chosen candidates in the order in which to label them.
        near_duplicates_checked: whether embeddings were there to keep near-duplicates apart.
    """

    strategy: QueryStrategy
    seed: int
    scores: Floats
    picks: tuple[Pick, ...]
    near_duplicates_checked: bool

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
    labelled_embeddings: Any = None,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
    near_duplicate_cosine: float = NEAR_DUPLICATE_COSINE,
) -> Selection:
    """Choose ``num_samples`` candidates of a pool, or the whole pool if it is smaller.

    The same input and seed give the same picks. Candidates whose embeddings are closer than
    ``near_duplicate_cosine`` do not share a batch while others are left; ``random`` is exempt,
    because an unbiased baseline must not choose.

    Args:
        probabilities: (n, c), needed by all but diversity and random.
        embeddings: (n, d), needed by diversity and hybrid; elsewhere they keep duplicates apart.
        labelled_embeddings: (m, d) of what is labelled: its near-duplicates come last, and
            diversity goes elsewhere first.
        class_names: c names for the reasons.

    Raises:
        InvalidInput: naming the argument, and the row where one row is wrong.

    Example:
        >>> chosen = select("margin", [[0.9, 0.1], [0.52, 0.48]], num_samples=1)
        >>> chosen.picks[0].reason
        'margin 0.04 between class 0 and class 1'
    """
    pool = _check(
        strategy=QueryStrategy.parse(strategy),
        probabilities=probabilities,
        embeddings=embeddings,
        labelled_embeddings=labelled_embeddings,
        class_names=class_names,
        num_samples=num_samples,
        seed=check_seed(seed),
        limit=near_duplicate_cosine,
    )
    scores, chosen = choose(pool) if pool.size else (np.zeros(0), [])
    return Selection(
        strategy=pool.strategy,
        seed=pool.seed,
        scores=scores,
        picks=_describe(chosen, scores),
        near_duplicates_checked=pool.unit is not None and pool.strategy != QueryStrategy.RANDOM,
    )


def _check(
    *,
    strategy: QueryStrategy,
    probabilities: Any,
    embeddings: Any,
    labelled_embeddings: Any,
    class_names: Sequence[str] | None,
    num_samples: int,
    seed: int,
    limit: float,
) -> CheckedPool:
    if strategy.needs_probabilities and probabilities is None:
        raise InvalidInput("probabilities", f"are needed by the strategy {strategy.value}")
    if strategy.needs_embeddings and embeddings is None:
        raise InvalidInput("embeddings", f"are needed by the strategy {strategy.value}")
    checked = None if probabilities is None else check_probabilities(probabilities)
    unit = None if embeddings is None else check_embeddings(embeddings)
    size = _common_size(checked, unit)
    labelled = _check_labelled(labelled_embeddings, unit)
    return CheckedPool(
        strategy=strategy,
        probabilities=np.empty((0, 2)) if checked is None else checked,
        names=() if checked is None else check_class_names(class_names, checked.shape[1]),
        unit=unit,
        labelled=labelled,
        repeated=_repeated(unit, labelled, _check_limit(limit), size),
        size=size,
        count=min(check_count(num_samples, "num_samples"), size),
        seed=seed,
        limit=_check_limit(limit),
    )


def _common_size(probabilities: Floats | None, unit: Vectors | None) -> int:
    sizes = {len(each) for each in (probabilities, unit) if each is not None}
    if not sizes:
        raise InvalidInput("embeddings", "or probabilities must be given, one row a candidate")
    if len(sizes) > 1:
        raise InvalidInput("embeddings", "must have as many rows as the probabilities")
    return sizes.pop()


def _check_labelled(values: Any, unit: Vectors | None) -> Vectors | None:
    if values is None or unit is None or not len(values):
        return None
    labelled = check_embeddings(values, "labelled_embeddings")
    if labelled.shape[1] != unit.shape[1]:
        raise InvalidInput(
            "labelled_embeddings", f"must be {unit.shape[1]} wide, like the candidates'"
        )
    return labelled


def _repeated(
    unit: Vectors | None, labelled: Vectors | None, limit: float, size: int
) -> NDArray[np.bool_]:
    if unit is None:
        return np.zeros(size, dtype=np.bool_)
    return closest_cosine(unit, labelled) > limit


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
