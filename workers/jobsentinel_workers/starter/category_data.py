"""Texts with a job category: occupations as titles and as postings, and real titles that agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.text import compose_posting_text
from jobsentinel_workers.multi_task import MultiTaskExample
from jobsentinel_workers.starter.category_mapping import (
    category_of_functions,
    category_of_isco,
    category_of_soc,
)
from jobsentinel_workers.starter.open_data import Occupation, PostingRow, read_esco, read_onet
from jobsentinel_workers.starter.ranking_data import sample_document

TASK = "job_category"
TITLES_AN_OCCUPATION = 20
DOCUMENTS_AN_OCCUPATION = 5
FACTS_SHARE = 0.4
"""Share of bare titles that get a line of facts, as scraped postings have one."""
AGREEING, CERTAIN = 0.25, 0.9
"""A posting's job function counts if the first model finds it this probable; without a function,
the first model's own answer counts if it is this sure."""

Categories = tuple[str, ...]
CATEGORIES: Categories = tuple(JOB_CATEGORIES)
Classify = Callable[[Sequence[str]], npt.NDArray[np.float64]]
"""From texts to (n, 20) probabilities."""


def labelled_occupations(data: Path) -> list[tuple[Occupation, str]]:
    """Return the occupations of O*NET and ESCO whose code has a category."""
    onet = [(occupation, category_of_soc(occupation.code)) for occupation in read_onet(data)]
    esco = [(occupation, category_of_isco(group)) for occupation, group in read_esco(data)]
    return [(occupation, category) for occupation, category in onet + esco if category]


def occupation_rows(
    occupations: Sequence[tuple[Occupation, str]], locations: Sequence[str], seed: int
) -> list[MultiTaskExample]:
    """Return texts of ``occupations``: their names, some with facts, and postings made of them."""
    rng = np.random.default_rng(seed)
    return [
        MultiTaskExample(text, {TASK: category})
        for occupation, category in occupations
        for text in _texts(occupation, locations, rng)
    ]


def _texts(
    occupation: Occupation, locations: Sequence[str], rng: np.random.Generator
) -> Iterator[str]:
    others = list(occupation.alternate_titles)
    picked = rng.permutation(len(others))[:TITLES_AN_OCCUPATION]
    for title in (occupation.title, *(others[n] for n in picked)):
        yield _with_facts(title, locations, rng)
    # ESCO has no tasks: more than one posting of its occupations would repeat the description.
    for _ in range(DOCUMENTS_AN_OCCUPATION if occupation.tasks else 1):
        yield sample_document(occupation, rng)


def _with_facts(title: str, locations: Sequence[str], rng: np.random.Generator) -> str:
    if rng.random() > FACTS_SHARE:
        return title
    return compose_posting_text(title=title, location=str(rng.choice(locations)))


def posting_rows(postings: Sequence[PostingRow], classify: Classify) -> list[MultiTaskExample]:
    """Return postings whose category is clear from their title, by the first model.

    The title is what the model judges, the whole posting what the next model learns from: so it
    comes to know real descriptions that nobody labelled.
    """
    probabilities = classify([posting.title for posting in postings])
    rows: list[MultiTaskExample] = []
    for posting, row in zip(postings, probabilities, strict=True):
        category = _agreed(category_of_functions(posting.functions), row)
        if category:
            rows.append(MultiTaskExample(posting.text, {TASK: category}))
    return rows


def _agreed(stated: str | None, probabilities: npt.NDArray[np.float64]) -> str | None:
    best = int(probabilities.argmax())
    if stated is not None and probabilities[CATEGORIES.index(stated)] >= AGREEING:
        return stated
    return CATEGORIES[best] if stated is None and probabilities[best] >= CERTAIN else None
