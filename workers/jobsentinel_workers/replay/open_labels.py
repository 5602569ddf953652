"""Labelled texts of the open data, for `make eval-active-learning`.

``category`` is what LinkedIn's recruiters said a posting is about, as far as it is one of the
twenty categories: titles with a line of facts, unevenly spread over 17 of them. ``scam`` is EMSCAD.
``category-google`` is the job category of a careers page, in full texts; it is for measuring only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from jobsentinel.contract.text import compose_posting_text
from jobsentinel_workers.replay.circle import Circle
from jobsentinel_workers.starter.category_mapping import category_of_functions
from jobsentinel_workers.starter.open_data import read_csv, read_emscad, read_linkedin_titles

Rows = list[tuple[str, str]]

CATEGORY_ROWS: Final = 2_500
"""Of 14,696: as many as 20 minutes on a core allow."""
SCAM_BASE_RATE: Final = 0.048
"""Of EMSCAD in full, of which these rows hold more frauds than their share."""


@dataclass(frozen=True, slots=True)
class OpenLabels:
    """A set of labelled texts and how it is replayed."""

    read: Callable[[Path], Rows]
    circle: Circle
    base_rate: float | None = None


def category_rows(data: Path) -> Rows:
    """Return `CATEGORY_ROWS` postings of LinkedIn, drawn evenly, with one of the categories."""
    pairs = [(row.text, category_of_functions(row.functions)) for row in read_linkedin_titles(data)]
    known = [(text, category) for text, category in pairs if category is not None]
    drawn = np.random.default_rng(0).permutation(len(known))[:CATEGORY_ROWS]
    return [known[place] for place in sorted(drawn.tolist())]


def google_rows(data: Path) -> Rows:
    """Return the postings of Google's careers page with their category."""
    return [
        (
            compose_posting_text(
                title=row["title"], description=row["description"], location=row["location"]
            ),
            row["category"],
        )
        for row in read_csv(data / "category_google.csv.gz")
    ]


def scam_rows(data: Path) -> Rows:
    """Return EMSCAD's postings, fraudulent or not."""
    return [(row.text, "yes" if row.fraudulent else "no") for row in read_emscad(data)]


OPEN_LABELS: Final[Mapping[str, OpenLabels]] = MappingProxyType(
    {
        "category": OpenLabels(category_rows, Circle(budget=400)),
        "scam": OpenLabels(scam_rows, Circle(budget=400), SCAM_BASE_RATE),
        "category-google": OpenLabels(google_rows, Circle(budget=300)),
    }
)
