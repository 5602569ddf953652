"""What the adapter for queries learns from: texts, and among frozen embeddings the right ones.

Four kinds: names of occupations, the same to another of their names, duties and tools, and titles
of real postings to descriptions. Documents are embedded once, by the encoder as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import torch

from jobsentinel_workers.encoders import Runner, SequenceModel
from jobsentinel_workers.starter.open_data import Occupation, PostingRow
from jobsentinel_workers.starter.posting_groups import SAME_JOB_COSINE, described
from jobsentinel_workers.starter.ranking_data import sample_duties_query
from jobsentinel_workers.starter.vacancy_titles import as_vacancy_title

NAMES_AN_OCCUPATION: Final = 4
"""Of so many of its names one is the right answer to another one."""
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """For each text that was drawn, one right row of ``documents``.

    Attributes:
        documents: (m, d) embeddings of length 1.
        right: (texts,) rows of these.
        not_wrong: (texts, m), true where a row may be right as well; None where none is.
        weight: of its loss.
    """

    documents: torch.Tensor
    right: Places
    weight: float = 1.0
    not_wrong: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """Texts, and what is to be found by them."""

    texts: list[str]
    choices: list[Choice]


class QuerySource(Protocol):
    """Anything to draw queries from."""

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Return ``count`` texts with the right answers to them."""


class NamesOfOccupations:
    """Names, as vacancies bear them, to the occupation's document and to another of its names.

    A register with many names an occupation has as much of them drawn.
    """

    def __init__(
        self,
        occupations: Sequence[Occupation],
        documents: Sequence[str],
        encoder: SequenceModel,
        runner: Runner,
        *,
        seed: int = 0,
    ) -> None:
        self.documents = torch.from_numpy(runner(encoder, documents))
        names = [(name, n) for n, o in enumerate(occupations) for name in dict.fromkeys(o.names)]
        self._names = [name for name, _ in names]
        self._owners = np.array([owner for _, owner in names], dtype=np.int64)
        some = _some_names(occupations, np.random.default_rng(seed))
        self._counts = np.array([len(each) for each in some])
        self._firsts = np.cumsum(self._counts) - self._counts
        flat = [name for each in some for name in each]
        self._embedded = torch.from_numpy(runner(encoder, flat))

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Return ``count`` names, each with two choices."""
        picked = rng.integers(0, len(self._names), count)
        owners = self._owners[picked]
        # Another name of each occupation stands for it this time.
        shown = self._firsts + (rng.random(len(self._counts)) * self._counts).astype(np.int64)
        return Drawn(
            [as_vacancy_title(self._names[n], rng) for n in picked],
            [
                Choice(self.documents, owners),
                Choice(self._embedded[torch.from_numpy(shown)], owners, weight=0.4),
            ],
        )


class DutiesOfOccupations:
    """Duties, or a name with tools, to the occupation's document."""

    def __init__(self, occupations: Sequence[Occupation], documents: torch.Tensor) -> None:
        self._occupations = occupations
        self._documents = documents

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Return ``count`` texts, each with one choice."""
        owners = rng.integers(0, len(self._occupations), count)
        texts = [sample_duties_query(self._occupations[n], rng).text for n in owners]
        return Drawn(texts, [Choice(self._documents, owners)])


class TitlesOfPostings:
    """Titles of real postings to their descriptions."""

    def __init__(self, rows: Sequence[PostingRow], encoder: SequenceModel, runner: Runner) -> None:
        self._rows = described(rows)
        titles = torch.from_numpy(runner(encoder, [row.title for row in self._rows]))
        self._documents = torch.from_numpy(runner(encoder, [r.description for r in self._rows]))
        self._alike = titles @ titles.T > SAME_JOB_COSINE

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Return ``count`` titles, each with one choice."""
        picked = rng.integers(0, len(self._rows), count)
        not_wrong = self._alike[torch.from_numpy(picked)].clone()
        not_wrong[torch.arange(count), torch.from_numpy(picked)] = False
        choice = Choice(self._documents, picked, 0.3, not_wrong)
        return Drawn([self._rows[n].title for n in picked], [choice])


def _some_names(occupations: Sequence[Occupation], rng: np.random.Generator) -> list[list[str]]:
    every = [list(dict.fromkeys(occupation.names)) for occupation in occupations]
    return [
        [names[n] for n in rng.permutation(len(names))[:NAMES_AN_OCCUPATION]] for names in every
    ]
