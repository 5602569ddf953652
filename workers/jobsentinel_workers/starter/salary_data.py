"""Postings with a yearly salary in USD, some with a description lent by a like job.

Nearly all known salaries come with a title and a place only, while served postings have long
descriptions. A description of the most similar posting or occupation fills the gap, so that the
head learns to find title and place inside a long text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from jobsentinel.contract.text import content_hash, normalise
from jobsentinel_workers.encoders import Runner, SequenceModel
from jobsentinel_workers.multi_task import MultiTaskExample
from jobsentinel_workers.starter.open_data import (
    Occupation,
    PostingRow,
    read_linkedin_postings,
    read_linkedin_titles,
    read_salary_nyc,
)

TASK = "salary_prediction"
PLAUSIBLE_YEAR_USD = (15_000.0, 800_000.0)
"""Outside lie hourly rates entered as yearly ones, and typing errors."""
LIKE_COSINE = 0.55


def salary_postings(data: Path) -> list[PostingRow]:
    """Return the distinct postings with a plausible salary."""
    sources = (read_linkedin_titles(data), read_linkedin_postings(data), read_salary_nyc(data))
    low, high = PLAUSIBLE_YEAR_USD
    distinct = {
        (row.text, row.salary_year_usd): row
        for source in sources
        for row in source
        if row.salary_year_usd is not None and low <= row.salary_year_usd <= high
    }
    return list(distinct.values())


def title_key(row: PostingRow) -> str:
    """Return what reposted copies share: the letters of the title."""
    return "".join(character for character in row.title.lower() if character.isalpha())


def to_examples(rows: Sequence[PostingRow]) -> list[MultiTaskExample]:
    """Return rows as labelled examples."""
    return [MultiTaskExample(row.text, {TASK: row.salary_year_usd}) for row in rows]


def own_rng(row: PostingRow, seed: int) -> np.random.Generator:
    """Return random numbers that the row's text and the seed fix, whatever rows are beside it."""
    return np.random.default_rng((seed, int(content_hash(row.text), 16)))


def on_one_line(rows: Sequence[PostingRow], share: float, seed: int) -> list[PostingRow]:
    """Return copies of a ``share`` of ``rows`` with title and facts on one line.

    Not everybody composes a posting's text as it is done here.
    """
    separators = (", ", " | ", " - ", " ")
    copies = []
    for row in rows:
        rng = own_rng(row, seed)
        if not row.description and rng.random() < share:
            text = row.text.replace("\n", str(rng.choice(separators))).replace(" · ", " ")
            copies.append(replace(row, text=text))
    return copies


class Descriptions:
    """Finds a description for a bare title: that of the most similar posting or occupation."""

    def __init__(
        self,
        postings: Sequence[PostingRow],
        occupations: Sequence[Occupation],
        encoder: SequenceModel,
        runner: Runner,
    ) -> None:
        described = [row for row in postings if len(row.description) > 200]
        self.encoder, self.runner = encoder, runner
        self.texts = [row.description for row in described]
        self.texts += ["\n".join((o.description, *o.tasks[:5])) for o in occupations]
        titles = [row.title for row in described] + [o.title for o in occupations]
        self.embeddings = runner(encoder, titles)

    def lend(self, rows: Sequence[PostingRow], share: float, seed: int) -> list[PostingRow]:
        """Return copies of a ``share`` of the bare ``rows`` with a description each."""
        bare = [row for row in rows if not row.description and own_rng(row, seed).random() < share]
        if not bare:
            return []
        similarity = self.runner(self.encoder, [row.title for row in bare]) @ self.embeddings.T
        # One of the nearest three: the same title then comes with different descriptions.
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :3]
        lent: list[PostingRow] = []
        for position, row in enumerate(bare):
            choice = int(own_rng(row, seed + 1).choice(nearest[position]))
            if similarity[position, choice] >= LIKE_COSINE:
                text = normalise(f"{row.text}\n{self.texts[choice]}")
                lent.append(replace(row, text=text, description=self.texts[choice]))
        return lent
