"""What a strategy is handed: a pool of candidates whose input has been checked.

A strategy returns every candidate's acquisition score and its picks in order. Those who write one
of their own build on `CheckedPool.by_score` or `CheckedPool.take`, which keep near-duplicates last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from jobsentinel_workers.active_learning.acquisition import descending
from jobsentinel_workers.active_learning.checks import Floats, Indices, Vectors
from jobsentinel_workers.active_learning.near_duplicates import Placed, place
from jobsentinel_workers.active_learning.query_strategy import Need
from jobsentinel_workers.active_learning.reasons import explain_repeat

Chosen: TypeAlias = tuple[Placed, str, str]
"""A picked candidate, the reason, and the name of the strategy that picked it."""
Choice: TypeAlias = tuple[Floats, list[Chosen]]
"""Every candidate's acquisition score (n,), higher is more worth a label; and the picks."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is labelled, (m, ...); what was not given has no rows."""

    unit: Vectors
    probabilities: Floats
    values: Floats


@dataclass(frozen=True, slots=True)
class Committee:
    """What ``k`` models say of the candidates: (k, n, c) probabilities, or (k, n) values."""

    probabilities: Floats
    values: Floats


@dataclass(frozen=True, slots=True)
class CheckedPool:
    """The checked input of one choice. What was not given has no rows.

    Attributes:
        strategy: the name it was asked for by.
        probabilities: (n, c), rows sum to 1.
        names: the c classes.
        values: (n,) predicted values.
        unit: (n, d) float32 unit embeddings; ``lengths`` (n,) are those they had.
        size: how many candidates there are; ``count``, how many to pick, is at most this.
        placed: candidates of the batch already, as those drawn at random; not to be picked.
        limit: cosine above which two candidates are near-duplicates.
    """

    strategy: str
    size: int
    count: int
    seed: int
    limit: float
    probabilities: Floats
    names: tuple[str, ...]
    values: Floats
    unit: Vectors
    lengths: Floats
    labelled: Labelled
    committee: Committee
    placed: tuple[Placed, ...] = ()

    def take(self, order: Sequence[int] | Indices, count: int | None = None) -> list[Placed]:
        """Pick ``count`` in ``order``, without those placed and near-duplicates last."""
        rows = np.asarray(order, dtype=np.intp)
        return place(
            rows,
            self.unit,
            self.count if count is None else count,
            placed=self.placed,
            labelled=self.labelled.unit,
            limit=self.limit,
        )

    def by_score(
        self, scores: Floats, explain: Callable[[int], str], count: int | None = None
    ) -> Choice:
        """Pick the highest ``scores``; ``explain`` gives the reason of a row."""
        return scores, self.with_reasons(self.take(descending(scores), count), explain)

    def with_reasons(
        self, placed: Iterable[Placed], explain: Callable[[int], str], by: str | None = None
    ) -> list[Chosen]:
        """Return the picks with what ``explain`` says of each row, and a note on repetition."""
        return [
            (each, explain_repeat(explain(each.index), each.repeats_labelled), by or self.strategy)
            for each in placed
        ]

    def covered(self) -> Vectors:
        """Return the unit embeddings of what is labelled or placed."""
        rows = [each.index for each in self.placed]
        return np.concatenate((self.labelled.unit, self.unit[rows]))

    def covered_words(self) -> str:
        """Return what the candidates are compared with, for reasons: empty without anything."""
        parts = (("labelled", len(self.labelled.unit)), ("picked", len(self.placed)))
        return " or ".join(word for word, there in parts if there)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A query strategy: what it does with a pool, and what it must be given.

    Attributes:
        choose: returns scores and picks of a pool; the pool has one candidate or more.
        needs: what `select` refuses to go without.
        uses: what it looks at beyond that, if it is there.

    Example:
        >>> def rarest(pool: CheckedPool) -> Choice:
        ...     scores = 1 - pool.probabilities.min(axis=1)
        ...     return pool.by_score(scores, lambda row: f"{scores[row]:.2f} against its rarest")
        >>> Strategy(rarest, needs=frozenset({Need.PROBABILITIES})).needs_embeddings
        False
    """

    choose: Callable[[CheckedPool], Choice]
    needs: frozenset[Need] = frozenset()
    uses: frozenset[Need] = frozenset()

    @property
    def needs_embeddings(self) -> bool:
        """Whether the strategy cannot work without embeddings."""
        return Need.EMBEDDINGS in self.needs


def empty_vectors(width: int = 1) -> Vectors:
    """Return no embeddings of ``width``."""
    return np.empty((0, width), dtype=np.float32)
