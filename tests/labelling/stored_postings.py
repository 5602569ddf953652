"""Stores with scored postings of two kinds of job, whose right labels the tests know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel_workers.store import Database, embeddings, labels, postings, results

ENCODER = "tiny"
NURSE, COOK = "healthcare", "retail_hospitality_food"
STAMP = {"name": "multi-task", "version": 7, "precision": "fp32"}


def category_of(number: int) -> str:
    """Return what posting ``number`` is about."""
    return NURSE if number % 2 == 0 else COOK


def name_of(number: int) -> str:
    """Return the id of posting ``number``."""
    return f"job-{number:03}"


def store_scored(database: Database, count: int, *, description: str = "A job.") -> list[str]:
    """Store postings with embeddings and scores and return their ids."""
    ids = [name_of(number) for number in range(count)]
    with database.begin() as connection:
        postings.upsert(connection, [_posting(number, description) for number in range(count)])
        vectors = {f"hash-{id_}": vector(number) for number, id_ in enumerate(ids)}
        embeddings.put_many(connection, ENCODER, vectors)
        rows = [(id_, _score(number)) for number, id_ in enumerate(ids)]
        results.save(connection, "job", "score", rows, fencing_token=1, model=STAMP)
    return ids


def vector(number: int) -> Any:
    """Return an embedding near that of its kind of job."""
    centre = np.zeros(8)
    centre[number % 2] = 2.0
    made = centre + np.random.default_rng(number).normal(size=8) * 0.25
    return (made / np.linalg.norm(made)).astype(np.float32)


def _posting(number: int, description: str) -> dict[str, Any]:
    id_ = name_of(number)
    title = f"{'Nurse' if category_of(number) == NURSE else 'Cook'} {number}"
    return {
        "id": id_,
        "title": title,
        "description": description,
        "company": "Mercy",
        "salary": "$52,000",
        "content_hash": f"hash-{id_}",
        "text": f"{title}\n\n{description}",
    }


def _score(number: int) -> dict[str, Any]:
    sure = 0.5 + (number % 10) / 25
    probabilities = dict.fromkeys(JOB_CATEGORIES, 0.0)
    probabilities |= {NURSE: sure, COOK: 1.0 - sure}
    return {
        "posting_id": name_of(number),
        "category": {"label": NURSE, "probability": sure, "probabilities": probabilities},
        "salary_year_usd": {"value": 50_000.0, "low": 40_000.0, "high": 60_000.0},
        "scam": {"probability": 0.2, "is_scam": False, "threshold": 0.5},
        "model": STAMP,
        "custom": {},
    }


def stored_labels(database: Database, kind: str = "category") -> dict[str, Mapping[str, Any]]:
    """Return the labels in force by posting; of two annotators' the later one."""
    with database.connect() as connection:
        found = labels.find(connection, kind=kind)
    return {each.posting_id: {n: getattr(each, n) for n in each.__slots__} for each in found}
