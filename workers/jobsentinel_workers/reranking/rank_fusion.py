"""Reciprocal rank fusion: several rankings joined into one by their ranks alone.

G. V. Cormack, C. L. A. Clarke and S. Büttcher, "Reciprocal rank fusion outperforms Condorcet and
individual rank learning methods", SIGIR 2009. Scores of unlike kinds, such as a cosine and a BM25
score, need no common scale then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

Id = TypeVar("Id", str, int)

K: Final = 60
"""The paper's constant: how little the very first places count above those that follow."""


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Id]], k: float = K
) -> list[tuple[Id, float]]:
    """Return all ids of ``rankings`` with the sum of 1 / (k + rank), best first, ties by id.

    Each ranking lists ids, best first, none twice. Where an id is missing it gets nothing.
    """
    scores: dict[Id, float] = {}
    for ranking in rankings:
        for rank, id_ in enumerate(ranking, start=1):
            scores[id_] = scores.get(id_, 0.0) + 1 / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
