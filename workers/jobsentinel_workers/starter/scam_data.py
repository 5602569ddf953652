"""Fraudulent and legitimate postings, one of each text, with copies kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobsentinel.contract.text import content_hash
from jobsentinel_workers.encoders import Runner, SequenceModel
from jobsentinel_workers.multi_task import MultiTaskExample, scored_text
from jobsentinel_workers.multi_task.words import WordModel, fit_word_model
from jobsentinel_workers.starter.near_duplicates import duplicate_groups
from jobsentinel_workers.starter.open_data import PostingRow, read_emscad

TASK = "scam_detection"


@dataclass(frozen=True, slots=True)
class ScamData:
    """Distinct postings and, in the same order, the group of copies that each belongs to."""

    rows: list[PostingRow]
    groups: list[int]

    def examples(self) -> list[MultiTaskExample]:
        """Return the postings as labelled examples."""
        return [MultiTaskExample(row.text, {TASK: row.fraudulent}) for row in self.rows]

    def only(self, positions: Sequence[int]) -> ScamData:
        """Return the postings at ``positions``."""
        return ScamData([self.rows[n] for n in positions], [self.groups[n] for n in positions])

    def without(self, positions: Sequence[int]) -> ScamData:
        """Return all postings but those at ``positions``."""
        left_out = set(positions)
        return self.only([n for n in range(len(self.rows)) if n not in left_out])

    def fit_words(self) -> WordModel:
        """Return a word model of these postings."""
        targets = np.array([float(row.fraudulent is True) for row in self.rows])
        return fit_word_model([scored_text(row.text) for row in self.rows], targets)

    def folds(self, count: int, seed: int) -> list[list[int]]:
        """Return positions in ``count`` parts that share no group."""
        names = np.random.default_rng(seed).permutation(sorted(set(self.groups)))
        fold_of = {int(name): number % count for number, name in enumerate(names)}
        return [
            [n for n, group in enumerate(self.groups) if fold_of[group] == fold]
            for fold in range(count)
        ]


def read_scam_data(data: Path, encoder: SequenceModel, runner: Runner) -> ScamData:
    """Return EMSCAD without repeated texts; near copies get one group."""
    distinct = {content_hash(row.text): row for row in read_emscad(data)}
    rows = list(distinct.values())
    embeddings = runner(encoder, [scored_text(row.text) for row in rows])
    return ScamData(rows, duplicate_groups(embeddings))


def legitimate(rows: Sequence[PostingRow]) -> list[PostingRow]:
    """Return the postings that are no fraud."""
    return [row for row in rows if row.fraudulent is False]
