"""Training groups for the reranker: a query with documents of graded relevance.

Queries are the names people use for an occupation, or what they do in it; documents read like
postings. Negatives are half near misses, found with the bi-encoder, because random ones teach
little beyond what the bi-encoder knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.text import compose_posting_text
from jobsentinel_workers.encoders import SequenceModel, run_directly
from jobsentinel_workers.starter.open_data import Occupation, PostingRow

GROUP_SIZE = 8
HARD_NEGATIVES_FROM = 40
"""Hard negatives are drawn from so many nearest neighbours."""
SAME_JOB_COSINE = 0.75
"""Postings whose titles are this close may be the same job: never each other's negatives."""


@dataclass(frozen=True, slots=True)
class RankingGroup:
    """A query and its documents; ``grades`` in 0..1, 1 for the document it belongs to."""

    query: str
    documents: tuple[str, ...]
    grades: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OccupationPool:
    """Occupations with the embeddings of their plain documents, (n, d), in the same order."""

    occupations: Sequence[Occupation]
    embeddings: npt.NDArray[np.float32]

    @classmethod
    def embed(cls, occupations: Sequence[Occupation], encoder: SequenceModel) -> OccupationPool:
        """Return the pool with its documents embedded."""
        return cls(occupations, run_directly(encoder, [plain_document(o) for o in occupations]))


def plain_document(occupation: Occupation) -> str:
    """Return an occupation as a posting: its title, its description and its first tasks."""
    description = "\n".join((occupation.description, *occupation.tasks[:3]))
    return compose_posting_text(title=occupation.title, description=description)


def sample_document(occupation: Occupation, rng: np.random.Generator, avoid: str = "") -> str:
    """Return an occupation as one of many postings it might be, sharing no line with ``avoid``."""
    titles = [t for t in (occupation.title, *occupation.alternate_titles) if t != avoid]
    title = occupation.title if rng.random() < 0.4 or not titles else str(rng.choice(titles))
    lines = [task for task in occupation.tasks if task not in avoid] or [occupation.description]
    picked = [lines[n] for n in rng.permutation(len(lines))[: rng.integers(1, 4)]]
    if rng.random() < 0.4:
        picked.insert(0, occupation.description)
    # Some postings hide the job behind an empty title: then the duties must be read.
    title = "Job opening" if rng.random() < 0.1 else title
    return compose_posting_text(title=title, description="\n".join(picked))


def sample_query(occupation: Occupation, rng: np.random.Generator) -> str:
    """Return what somebody who wants this occupation might type or have in a résumé."""
    titles = (occupation.title, *occupation.alternate_titles)
    title = str(rng.choice(titles))
    draw = rng.random()
    if draw < 0.12 and occupation.tasks:
        return " ".join(str(task) for task in rng.choice(occupation.tasks, 2))
    if draw < 0.24 and occupation.tools:
        tools = rng.choice(occupation.tools, min(4, len(occupation.tools)), replace=False)
        return f"{title}. Skills: {', '.join(map(str, tools))}"
    return title.lower() if draw < 0.6 else title


class OccupationGroups:
    """Draws ranking groups from a pool of occupations."""

    def __init__(self, pool: OccupationPool, encoder: SequenceModel) -> None:
        self.pool = pool
        self.encoder = encoder
        self.position = {o.code: n for n, o in enumerate(pool.occupations)}

    def draw(self, count: int, rng: np.random.Generator) -> list[RankingGroup]:
        """Return ``count`` groups; an occupation with many names is not drawn more often."""
        own = rng.integers(0, len(self.pool.occupations), count)
        queries = [sample_query(self.pool.occupations[n], rng) for n in own]
        similarities = run_directly(self.encoder, queries) @ self.pool.embeddings.T
        return [
            self._group(int(n), query, row, rng)
            for n, query, row in zip(own, queries, similarities, strict=True)
        ]

    def _group(
        self, own: int, query: str, similarity: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> RankingGroup:
        grades = {own: 1.0} | self._pick_related(own, rng)
        allowed = [n for n in np.argsort(-similarity, kind="stable") if self._is_negative(own, n)]
        hard = rng.choice(allowed[:HARD_NEGATIVES_FROM], 4, replace=False)
        grades.update((int(n), 0.0) for n in hard)
        while len(grades) < GROUP_SIZE:
            grades.setdefault(int(rng.choice(allowed)), 0.0)
        documents = [sample_document(self.pool.occupations[n], rng, query) for n in grades]
        return RankingGroup(query, tuple(documents), tuple(grades.values()))

    def _pick_related(self, own: int, rng: np.random.Generator) -> dict[int, float]:
        related = self._related(own)
        if not related:
            return {}
        picked = int(rng.choice(sorted(related)))
        return {picked: related[picked]}

    def _related(self, own: int) -> dict[int, float]:
        grades = self.pool.occupations[own].related
        known = {self.position[code]: g for code, g in grades.items() if code in self.position}
        return {position: grade for position, grade in known.items() if position != own}

    def _is_negative(self, own: int, other: int) -> bool:
        mine, theirs = self.pool.occupations[own], self.pool.occupations[other]
        # Codes that share their first seven characters are variants of one occupation.
        return theirs.code not in mine.related and theirs.code[:7] != mine.code[:7]


class PostingGroups:
    """Draws groups from real postings: which description belongs under this title?"""

    def __init__(self, rows: Sequence[PostingRow], encoder: SequenceModel) -> None:
        self.rows = [row for row in rows if len(row.description) > 200]
        titles = run_directly(encoder, [row.title for row in self.rows])
        bodies = run_directly(encoder, [row.description for row in self.rows])
        self.title_similarity = titles @ titles.T
        self.body_similarity = titles @ bodies.T

    def draw(self, count: int, rng: np.random.Generator) -> list[RankingGroup]:
        """Return ``count`` groups of a title with its own and others' descriptions."""
        return [self._group(int(n), rng) for n in rng.integers(0, len(self.rows), count)]

    def _group(self, own: int, rng: np.random.Generator) -> RankingGroup:
        order = np.argsort(-self.body_similarity[own], kind="stable")
        allowed = [n for n in order if self.title_similarity[own, n] < SAME_JOB_COSINE]
        hard = list(rng.choice(allowed[:HARD_NEGATIVES_FROM], 4, replace=False))
        rest = list(rng.choice(allowed[HARD_NEGATIVES_FROM:], GROUP_SIZE - 5, replace=False))
        picked = [own, *hard, *rest]
        return RankingGroup(
            query=self.rows[own].title,
            documents=tuple(self._passage(self.rows[n], rng) for n in picked),
            grades=(1.0, *([0.0] * (GROUP_SIZE - 1))),
        )

    def _passage(self, row: PostingRow, rng: np.random.Generator) -> str:
        # What the job is stands early; the end is benefits and law, alike for all postings.
        start = int(rng.integers(0, max(1, int(0.4 * len(row.description)))))
        return row.description[start : start + 320]
