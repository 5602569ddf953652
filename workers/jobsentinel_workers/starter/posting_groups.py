"""Training groups from real postings: which description belongs under this title?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from jobsentinel_workers.encoders import SequenceModel, run_directly
from jobsentinel_workers.starter.open_data import PostingRow
from jobsentinel_workers.starter.ranking_data import (
    GROUP_SIZE,
    HARD_NEGATIVES,
    HARD_NEGATIVES_FROM,
    RankingGroup,
)

SAME_JOB_COSINE: Final = 0.75
"""Postings whose titles are this close may be the same job: never each other's negatives."""
LEAST_DESCRIPTION_CHARS: Final = 200
PASSAGE_CHARS: Final = 320


def described(rows: Sequence[PostingRow]) -> list[PostingRow]:
    """Return the rows whose description says something."""
    return [row for row in rows if len(row.description) > LEAST_DESCRIPTION_CHARS]


class PostingGroups:
    """Draws ranking groups from real postings."""

    def __init__(
        self, rows: Sequence[PostingRow], encoder: SequenceModel, query_encoder: SequenceModel
    ) -> None:
        self.rows = described(rows)
        titles = [row.title for row in self.rows]
        plain = run_directly(encoder, titles)
        bodies = run_directly(encoder, [row.description for row in self.rows])
        self.title_similarity = plain @ plain.T
        self.body_similarity = run_directly(query_encoder, titles) @ bodies.T

    def draw(self, count: int, rng: np.random.Generator) -> list[RankingGroup]:
        """Return ``count`` groups of a title with its own and others' descriptions."""
        return [self._group(int(n), rng) for n in rng.integers(0, len(self.rows), count)]

    def _group(self, own: int, rng: np.random.Generator) -> RankingGroup:
        order = np.argsort(-self.body_similarity[own], kind="stable")
        allowed = [n for n in order if self.title_similarity[own, n] < SAME_JOB_COSINE]
        others = GROUP_SIZE - 1 - HARD_NEGATIVES
        hard = list(rng.choice(allowed[:HARD_NEGATIVES_FROM], HARD_NEGATIVES, replace=False))
        rest = list(rng.choice(allowed[HARD_NEGATIVES_FROM:], others, replace=False))
        picked = [own, *hard, *rest]
        return RankingGroup(
            query=self.rows[own].title,
            documents=tuple(self._passage(self.rows[n], rng) for n in picked),
            grades=(1.0, *([0.0] * (GROUP_SIZE - 1))),
        )

    def _passage(self, row: PostingRow, rng: np.random.Generator) -> str:
        # What the job is stands early; the end is benefits and law, alike for all postings.
        start = int(rng.integers(0, max(1, int(0.4 * len(row.description)))))
        return row.description[start : start + PASSAGE_CHARS]
