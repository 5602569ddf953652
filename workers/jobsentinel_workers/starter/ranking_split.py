"""The open data for ranking, and which of it is trained on, fitted on, or only judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from jobsentinel_workers.starter.open_data import (
    Occupation,
    PostingRow,
    read_esco,
    read_linkedin_postings,
    read_onet,
)
from jobsentinel_workers.starter.splits import split

OCCUPATIONS_HELD_OUT: Final = 0.1
POSTINGS_HELD_OUT: Final = 0.2
ENTRIES_HELD_OUT: Final = 0.05
"""Of ESCO's, which only fit the weights of the score; real vacancies judge."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts(Generic[T]):
    """What is learnt from, what the score's weights are fitted on, what judges; disjoint."""

    learnt: Sequence[T]
    fitted: Sequence[T] = ()
    judging: Sequence[T] = ()

    def everything(self) -> list[T]:
        """Return all three in this order."""
        return [*self.learnt, *self.fitted, *self.judging]


@dataclass(frozen=True, slots=True)
class RankingData:
    """Occupations of O*NET with their tasks, entries of ESCO, and real postings."""

    occupations: Parts[Occupation]
    entries: Parts[Occupation]
    postings: Parts[PostingRow]


def read_ranking_data(data: Path, seed: int) -> RankingData:
    """Return the open data for ranking; of O*NET, occupations without tasks say too little."""
    occupations = [occupation for occupation in read_onet(data) if occupation.tasks]
    learnt, fitted = split([entry for entry, _ in read_esco(data)], ENTRIES_HELD_OUT, seed)
    return RankingData(
        _in_three(occupations, OCCUPATIONS_HELD_OUT, seed),
        Parts(learnt, fitted),
        _in_three(read_linkedin_postings(data), POSTINGS_HELD_OUT, seed),
    )


def _in_three(items: Sequence[T], held_out: float, seed: int) -> Parts[T]:
    learnt, apart = split(items, held_out, seed)
    half = len(apart) // 2
    return Parts(learnt, apart[:half], apart[half:])
