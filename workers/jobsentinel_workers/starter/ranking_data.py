"""Training groups for the reranker: a query with documents of graded relevance.

Queries are the names people use for an occupation, or what they do in it; documents read like
postings. Most negatives are near misses, found with the first stage as it is served, because random
ones teach little beyond what that stage knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.text import compose_posting_text
from jobsentinel_workers.encoders import Runner, SequenceModel, run_directly
from jobsentinel_workers.starter.open_data import Occupation
from jobsentinel_workers.starter.vacancy_titles import as_vacancy_title

GROUP_SIZE: Final = 8
HARD_NEGATIVES: Final = 6
HARD_NEGATIVES_FROM: Final = 30
"""Hard negatives are drawn from so many nearest neighbours."""
OWN_TITLE_SHARE: Final = 0.7
"""Of the entries of a register; others stand under another of their names."""
BARE_TITLES_SHARE: Final = 0.2
"""Of the lists; there all documents are titles without a text."""


@dataclass(frozen=True, slots=True)
class RankingGroup:
    """A query and its documents; ``grades`` in 0..1, 1 for the document it belongs to."""

    query: str
    documents: tuple[str, ...]
    grades: tuple[float, ...]


Draw = Callable[[int, np.random.Generator], list[RankingGroup]]
"""Returns so many groups, by that generator."""


class Query(NamedTuple):
    """What somebody asks, and the occupation's name in it, if there is one."""

    text: str
    name: str


@dataclass(frozen=True, slots=True)
class OccupationPool:
    """Occupations with the embeddings of their plain documents, (n, d), in the same order."""

    occupations: Sequence[Occupation]
    embeddings: npt.NDArray[np.float32]

    @classmethod
    def embed(
        cls,
        occupations: Sequence[Occupation],
        encoder: SequenceModel,
        runner: Runner = run_directly,
    ) -> OccupationPool:
        """Return the pool with its documents embedded."""
        return cls(occupations, runner(encoder, [plain_document(o) for o in occupations]))


def plain_document(occupation: Occupation) -> str:
    """Return an occupation as a posting: its title, its description and its first tasks."""
    description = "\n".join((occupation.description, *occupation.tasks[:3]))
    return compose_posting_text(title=occupation.title, description=description)


def sample_document(occupation: Occupation, rng: np.random.Generator, avoid: str = "") -> str:
    """Return an occupation as one of many postings it might be, sharing no line with ``avoid``."""
    titles = [title for title in occupation.names if title != avoid]
    title = occupation.title if rng.random() < 0.4 or not titles else str(rng.choice(titles))
    lines = [task for task in occupation.tasks if task not in avoid] or [occupation.description]
    picked = [lines[n] for n in rng.permutation(len(lines))[: rng.integers(1, 4)]]
    if rng.random() < 0.4:
        picked.insert(0, occupation.description)
    # Some postings hide the job behind an empty title: then the duties must be read.
    title = "Job opening" if rng.random() < 0.1 else title
    return compose_posting_text(title=title, description="\n".join(picked))


def sample_entry(occupation: Occupation, rng: np.random.Generator, avoid: str = "") -> str:
    """Return an occupation of which no tasks are known: a name of it, and its description."""
    titles = [title for title in occupation.names if title != avoid]
    own = rng.random() < OWN_TITLE_SHARE or not titles
    title = occupation.title if own else str(rng.choice(titles))
    return compose_posting_text(title=title, description=occupation.description)


def sample_query(occupation: Occupation, rng: np.random.Generator) -> Query:
    """Return what somebody who wants this occupation might type or have in a résumé."""
    name = str(rng.choice(occupation.names))
    draw = rng.random()
    if draw < 0.24 and occupation.tasks:
        return sample_duties_query(occupation, rng)
    return Query(as_vacancy_title(name, rng), name)


def sample_duties_query(occupation: Occupation, rng: np.random.Generator) -> Query:
    """Return two things somebody does in this occupation, or its name with tools."""
    if rng.random() < 0.5 or not occupation.tools:
        return Query(" ".join(str(task) for task in rng.choice(occupation.tasks, 2)), "")
    name = str(rng.choice(occupation.names))
    tools = rng.choice(occupation.tools, min(4, len(occupation.tools)), replace=False)
    return Query(f"{name}. Skills: {', '.join(map(str, tools))}", name)


class OccupationGroups:
    """Draws ranking groups from a pool of occupations.

    ``query_encoder`` finds the near misses; the pool has been embedded for it.
    """

    def __init__(self, pool: OccupationPool, query_encoder: SequenceModel) -> None:
        self.pool = pool
        self.query_encoder = query_encoder
        self.position = {o.code: n for n, o in enumerate(pool.occupations)}
        self._names = [{name.lower() for name in o.names} for o in pool.occupations]

    def draw(self, count: int, rng: np.random.Generator) -> list[RankingGroup]:
        """Return ``count`` groups; an occupation with many names is not drawn more often."""
        own = rng.integers(0, len(self.pool.occupations), count)
        queries = [sample_query(self.pool.occupations[n], rng) for n in own]
        asked = run_directly(self.query_encoder, [query.text for query in queries])
        similarities = asked @ self.pool.embeddings.T
        return [
            self._group(int(n), query, row, rng)
            for n, query, row in zip(own, queries, similarities, strict=True)
        ]

    def _group(
        self, own: int, query: Query, similarity: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> RankingGroup:
        grades = {own: 1.0} | self._pick_related(own, rng)
        nearest = np.argsort(-similarity, kind="stable")
        allowed = [n for n in nearest if self._is_negative(own, n, query.name)]
        hard = rng.choice(allowed[:HARD_NEGATIVES_FROM], HARD_NEGATIVES, replace=False)
        grades.update((int(n), 0.0) for n in hard)
        while len(grades) < GROUP_SIZE:
            grades.setdefault(int(rng.choice(allowed)), 0.0)
        avoid = query.name or query.text
        document = self._bare_title if rng.random() < BARE_TITLES_SHARE else self._document
        documents = [document(n, rng, avoid) for n in grades]
        return RankingGroup(query.text, tuple(documents), tuple(grades.values()))

    def _document(self, position: int, rng: np.random.Generator, avoid: str) -> str:
        occupation = self.pool.occupations[position]
        sample = sample_document if occupation.tasks else sample_entry
        return sample(occupation, rng, avoid)

    def _bare_title(self, position: int, rng: np.random.Generator, avoid: str) -> str:
        """Return a title alone, as postings without a description are."""
        occupation = self.pool.occupations[position]
        titles = [name for name in occupation.names if name != avoid] or [occupation.title]
        return as_vacancy_title(str(rng.choice(titles)), rng)

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

    def _is_negative(self, own: int, other: int, name: str) -> bool:
        mine, theirs = self.pool.occupations[own], self.pool.occupations[other]
        if theirs.code in mine.related or theirs.family == mine.family:
            return False
        # Registers give one name to several occupations: then each of them is right.
        return name.lower() not in self._names[other]
