"""Texts with a job category: occupations as titles and as postings, and real titles that agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.text import compose_posting_text, normalise
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
AGREEING, CERTAIN = 0.25, 0.85
"""A posting's job function counts if the first model finds it this probable; otherwise the first
model's own answer counts if it is this sure."""
POSTINGS_A_CATEGORY = 1_200
LENT_POSTINGS = 2_500
ALIKE_SHARE = 0.7
DESCRIBED_WEIGHT = 3
"""Real postings with a description are few: each counts so often."""

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


LabelledPosting = tuple[PostingRow, str]


def clear_postings(
    postings: Sequence[PostingRow], classify: Classify, seed: int
) -> list[LabelledPosting]:
    """Return postings whose category is clear from their title, by the first model.

    The title is what the model judges, the whole posting what the next model learns from: so it
    comes to know real descriptions that nobody labelled. No category gets more than its cap.
    """
    probabilities = classify([posting.title for posting in postings])
    counts: Counter[str] = Counter()
    clear: list[LabelledPosting] = []
    for position in np.random.default_rng(seed).permutation(len(postings)).tolist():
        posting = postings[position]
        category = _agreed(category_of_functions(posting.functions), probabilities[position])
        if category and (counts[category] < POSTINGS_A_CATEGORY or posting.description):
            counts[category] += 1
            clear.append((posting, category))
    return clear


def posting_rows(clear: Sequence[LabelledPosting], seed: int) -> list[MultiTaskExample]:
    """Return the texts of ``clear`` postings; bare titles also with a description lent to them.

    Most descriptions come from the same category, some from any: what a posting is about, its
    employer's trade for one, is not what the job is, and the title has to win.
    """
    rng = np.random.default_rng(seed)
    lenders = [pair for pair in clear if pair[0].description]
    rows = [
        MultiTaskExample(posting.text, {TASK: category})
        for posting, category in clear
        for _ in range(DESCRIBED_WEIGHT if posting.description else 1)
    ]
    bare = [pair for pair in clear if not pair[0].description]
    for position in rng.permutation(len(bare))[:LENT_POSTINGS].tolist():
        posting, category = bare[position]
        alike = [lender for lender, kind in lenders if kind == category]
        pool = alike if alike and rng.random() < ALIKE_SHARE else [lender for lender, _ in lenders]
        if pool:
            description = pool[int(rng.integers(len(pool)))].description
            text = normalise(f"{posting.text}\n{description}")
            rows.append(MultiTaskExample(text, {TASK: category}))
    return rows


def _agreed(stated: str | None, probabilities: npt.NDArray[np.float64]) -> str | None:
    best = int(probabilities.argmax())
    if stated is not None and probabilities[CATEGORIES.index(stated)] >= AGREEING:
        return stated
    return CATEGORIES[best] if probabilities[best] >= CERTAIN else None
