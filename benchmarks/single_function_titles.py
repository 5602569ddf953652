"""Real titles that LinkedIn gives one function only, one of the ten most frequent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from jobsentinel.contract.text import normalise
from jobsentinel_workers.starter.open_data import read_csv

FUNCTIONS = 10
TEST_SHARE = 0.2


def read_titles(data: Path, limit: int) -> list[dict[str, str]]:
    """Return each title once, with its function where it has one of the most frequent ten."""
    rows = read_csv(data / "linkedin_titles.csv.gz")
    found = {normalise(row["title"]).casefold(): row for row in rows}
    single = [
        row for row in found.values() if row["job_functions"] and "|" not in row["job_functions"]
    ]
    counted = Counter(row["job_functions"] for row in single).most_common(FUNCTIONS)
    kept = {name for name, _ in counted}
    labelled = [
        {"text": row["title"], "label": row["job_functions"]}
        for row in single
        if row["job_functions"] in kept and row["title"].strip()
    ]
    order = np.random.default_rng(0).permutation(len(labelled))
    return [labelled[at] for at in order[:limit]]


def split_titles(rows: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    cut = int(TEST_SHARE * len(rows))
    return rows[cut:], rows[:cut]
