"""Occupations' names as they stand above real vacancies: with a level, a place, terms, in any case.

Registers of occupations write "database administrator", boards write "Senior Database Administrator
(m/f/d) - Leeds". What is added here says nothing about the kind of work, so that a model learns to
look past it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

LEVELS: Final = (
    "Senior", "Junior", "Lead", "Trainee", "Graduate", "Assistant", "Experienced", "Principal",
    "Temporary", "Part time", "Head", "Interim", "Apprentice", "Sr.", "Jr.", "Urgent:", "Full time",
    "Bilingual",
)  # fmt: skip
PLACES: Final = (
    "London", "Leeds", "New York, NY", "Remote", "Berlin", "Manchester", "Austin", "Dublin",
    "Amsterdam", "Chicago, IL", "Birmingham", "Glasgow", "Paris", "hybrid", "Hertfordshire",
    "Bristol", "nationwide",
)  # fmt: skip
TERMS: Final = (
    "(m/f/d)", "- immediate start", "- contract", "(part-time)", "- days", "- nights", "II", "III",
    "- 6 month contract", "- permanent", "PM shift", "(w/m/d)", "- up to $60k", "- great benefits",
    "Level 2", "(0-2 years)", "- hiring now", "- home based", "FTC", "- £12.50 per hour",
    "- no weekends",
)  # fmt: skip
JOINTS: Final = ("-", ",", "in", "|", "/")
DECORATED_SHARE: Final = 0.5


def as_vacancy_title(name: str, rng: np.random.Generator) -> str:
    """Return ``name`` in some case, half of the time with a level, a place or terms beside it."""
    title = _in_some_case(name, rng)
    if rng.random() >= DECORATED_SHARE:
        return title
    draw = rng.random()
    if draw < 0.35:
        return f"{_one_of(LEVELS, rng)} {title}"
    if draw < 0.65:
        return f"{title} {_one_of(JOINTS, rng)} {_one_of(PLACES, rng)}"
    if draw < 0.85:
        return f"{title} {_one_of(TERMS, rng)}"
    return f"{_one_of(LEVELS, rng)} {title} {_one_of(TERMS, rng)}"


def _in_some_case(name: str, rng: np.random.Generator) -> str:
    draw = rng.random()
    if draw < 0.25:
        return name.lower()
    if draw < 0.6:
        return name.title()
    return name.upper() if draw < 0.63 else name


def _one_of(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
