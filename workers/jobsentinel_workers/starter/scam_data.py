"""Fraudulent and legitimate postings, one of each text, with copies kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jobsentinel.contract.text import content_hash, normalise
from jobsentinel_workers.encoders import Runner, SequenceModel
from jobsentinel_workers.multi_task import MultiTaskExample, scored_text
from jobsentinel_workers.starter.near_duplicates import duplicate_groups
from jobsentinel_workers.starter.open_data import Occupation, PostingRow, read_emscad
from jobsentinel_workers.starter.ranking_data import sample_document
from jobsentinel_workers.starter.splits import folds_by_group

TASK = "scam_detection"


@dataclass(frozen=True, slots=True)
class ScamData:
    """Distinct postings and, in the same order, the group of copies that each belongs to."""

    rows: list[PostingRow]
    groups: list[int]

    def examples(self) -> list[MultiTaskExample]:
        """Return the postings as labelled examples."""
        return to_examples(self.rows)

    def only(self, positions: Sequence[int]) -> ScamData:
        """Return the postings at ``positions``."""
        return ScamData([self.rows[n] for n in positions], [self.groups[n] for n in positions])

    def without(self, positions: Sequence[int]) -> ScamData:
        """Return all postings but those at ``positions``."""
        left_out = set(positions)
        return self.only([n for n in range(len(self.rows)) if n not in left_out])

    def in_full(self) -> ScamData:
        """Return the postings with all that their source says, the company's profile included."""
        return replace(self, rows=[in_full(row) for row in self.rows])

    def with_variants(self, seed: int) -> ScamData:
        """Return the postings as they are, in full, and as excerpts: head and first lines.

        Scrapers deliver all three. A model that knows one of them only takes brevity, or the lack
        of a company's profile, for evidence.
        """
        excerpts = [excerpt(row, seed) for row in self.rows]
        return ScamData([*self.rows, *self.in_full().rows, *excerpts], self.groups * 3)

    def plus(self, other: Sequence[PostingRow]) -> ScamData:
        """Return these postings and ``other`` ones, each a group of its own."""
        return ScamData(self.rows + list(other), self.groups + [-1 - n for n in range(len(other))])

    def folds(self, count: int, seed: int) -> list[list[int]]:
        """Return positions in ``count`` parts that share no group."""
        return folds_by_group(self.groups, count, seed)


def read_scam_data(data: Path, encoder: SequenceModel, runner: Runner) -> ScamData:
    """Return EMSCAD without repeated texts; near copies get one group."""
    distinct = {content_hash(row.text): row for row in read_emscad(data)}
    rows = list(distinct.values())
    embeddings = runner(encoder, [scored_text(row.text) for row in rows])
    return ScamData(rows, duplicate_groups(embeddings))


def to_examples(rows: Sequence[PostingRow]) -> list[MultiTaskExample]:
    """Return rows as labelled examples."""
    return [MultiTaskExample(row.text, {TASK: row.fraudulent}) for row in rows]


def legitimate(rows: Sequence[PostingRow]) -> list[PostingRow]:
    """Return the postings that are no fraud."""
    return [row for row in rows if row.fraudulent is False]


def excerpt(row: PostingRow, seed: int) -> PostingRow:
    """Return ``row`` cut to a number of words that its text and the seed fix."""
    length = int(np.random.default_rng((seed, int(content_hash(row.text), 16))).integers(15, 120))
    head = row.text.removesuffix(row.description)
    words = row.description.split()[:length]
    return replace(row, text=normalise(f"{head}\n{' '.join(words)}"))


def in_full(row: PostingRow) -> PostingRow:
    """Return ``row`` with all that its source says, before its description."""
    head = row.text.removesuffix(row.description)
    return replace(row, text=normalise(f"{head}\n{row.about}\n{row.description}"))


def presumably_legitimate(
    postings: Sequence[PostingRow], occupations: Sequence[Occupation], seed: int
) -> list[PostingRow]:
    """Return real postings of today and postings made of occupations, as examples of no fraud.

    Hardly one in a hundred of them can be one. They keep the model from taking every posting that
    is unlike those of 2012 for suspicious.
    """
    rng = np.random.default_rng(seed)
    made = [
        PostingRow(title="", text=sample_document(occupation, rng), fraudulent=False)
        for occupation in occupations
    ]
    real = [replace(row, fraudulent=False) for row in postings]
    return real + [excerpt(row, seed) for row in real] + made
