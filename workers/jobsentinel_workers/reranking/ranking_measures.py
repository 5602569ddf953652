"""How good the ranking of one query is: nDCG, MRR, precision and recall.

Every measure reads the grades of a ranking, best place first, beside all grades that were given for
its query, and lies between 0 and 1. They are those of trec_eval: nDCG takes a grade itself as the
gain, so a document of grade 2 is worth two of grade 1; the others count a document as relevant
from a least grade on. A document that nobody judged has grade 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RankedGrades:
    """One query's ranking as the measures see it.

    Attributes:
        ranked: grades in the order of the ranking; what lies beyond it was not found.
        given: all grades of the query, also of documents that the ranking does not hold.
        relevant_from: the least grade that is relevant; a grade of 0 never is.
    """

    ranked: Sequence[float]
    given: Sequence[float]
    relevant_from: float = 0.0

    def is_relevant(self, grade: float) -> bool:
        """Return whether a document of this grade is one that should be found."""
        return grade > 0 and grade >= self.relevant_from

    def relevant_within(self, cutoff: int) -> int:
        """Return how many of the first ``cutoff`` documents are relevant."""
        return sum(map(self.is_relevant, self.ranked[:cutoff]))


def ndcg_at(found: RankedGrades, cutoff: int = 10) -> float:
    """Return nDCG: the gains, discounted by rank, as a share of the best order's; 0 without gains.

    Source: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques", with
    linear gains and the discount 1 / log2(rank + 1).
    """
    best = _dcg(sorted(found.given, reverse=True)[:cutoff])
    return _dcg(found.ranked[:cutoff]) / best if best else 0.0


def _dcg(grades: Sequence[float]) -> float:
    discounts = np.log2(np.arange(2, len(grades) + 2))
    return float((np.asarray(grades, dtype=np.float64) / discounts).sum())


def reciprocal_rank_at(found: RankedGrades, cutoff: int = 10) -> float:
    """Return one over the rank of the first relevant document; 0 if it is not in the cutoff."""
    places = enumerate(found.ranked[:cutoff], start=1)
    return next((1.0 / rank for rank, grade in places if found.is_relevant(grade)), 0.0)


def precision_at(found: RankedGrades, cutoff: int = 10) -> float:
    """Return how many of ``cutoff`` places are relevant documents; empty places are not."""
    return found.relevant_within(cutoff) / cutoff


def recall_at(found: RankedGrades, cutoff: int = 100) -> float:
    """Return which share of the relevant documents is in the cutoff; 0 if there is none."""
    relevant = sum(map(found.is_relevant, found.given))
    return found.relevant_within(cutoff) / relevant if relevant else 0.0


MEASURES: Final[dict[str, Callable[[RankedGrades], float]]] = {
    "nDCG@10": ndcg_at,
    "MRR@10": reciprocal_rank_at,
    "P@10": precision_at,
    "Recall@100": recall_at,
}
"""In the order in which they are read; a ranking is judged by the first."""


def measure(found: RankedGrades) -> npt.NDArray[np.float64]:
    """Return (m,) all measures of one ranking, in the order of `MEASURES`."""
    return np.array([function(found) for function in MEASURES.values()])
