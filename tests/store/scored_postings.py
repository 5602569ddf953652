"""Stored postings with scores and embeddings, as the fleet leaves them.

As a script, somebody who labels them: ``python scored_postings.py ADDRESS ANNOTATOR BATCHES``.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any

from store_process import posting, vector

from jobsentinel.contract import results as contract
from jobsentinel.contract.base import dump
from jobsentinel_workers.active_learning import ActiveLearningManager
from jobsentinel_workers.labelling.stored_pool import stored_pool
from jobsentinel_workers.store import Database, embeddings, posting_facts, postings, results

ENCODER = "tiny"
_JOBS = itertools.count(1)


def stamp(version: int = 3, name: str = "multi-task") -> contract.ModelStamp:
    """The stamp of a model."""
    return contract.ModelStamp(name=name, version=version, precision="fp32")


def score(id_: str, legal: float = 0.5, version: int = 3, **more: Any) -> dict[str, Any]:
    """The stored form of a score whose category is between legal and healthcare."""
    return dump(
        contract.PostingScore(
            posting_id=id_,
            category=contract.CategoryPrediction(
                label="legal",
                probability=legal,
                probabilities={"legal": legal, "healthcare": 1 - legal},
            ),
            salary_year_usd=contract.SalaryPrediction(value=90_000.0 * legal, low=1.0, high=2.0),
            scam=contract.ScamPrediction(probability=legal / 2, is_scam=False, threshold=0.5),
            model=stamp(version),
        )
    ) | dict(more)


def keep(database: Database, *ids: str, remote: bool = True) -> None:
    """Store postings without a score."""
    with database.begin() as connection:
        rows = [posting(id_) | {"remote": remote} for id_ in ids]
        postings.upsert(connection, rows)
        posting_facts.describe(connection, rows)


def keep_scores(database: Database, *payloads: dict[str, Any]) -> None:
    """Store results of a job of their own."""
    job = f"job-{next(_JOBS)}"
    with database.begin() as connection:
        rows = [(payload["posting_id"], payload) for payload in payloads]
        results.save(connection, job, "score", rows, fencing_token=1, model=dump(stamp()))


def keep_embeddings(database: Database, ids: Sequence[str], encoder: str = ENCODER) -> None:
    """Store each posting's embedding."""
    with database.begin() as connection:
        vectors = {f"hash-of-{id_}": vector(id_) for id_ in ids}
        embeddings.put_many(connection, encoder, vectors)


def keep_scored(database: Database, *ids: str) -> None:
    """Store postings that can be labelled: the later ones are the less certain."""
    keep(database, *ids)
    shares = [0.95 - 0.4 * place / len(ids) for place in range(len(ids))]
    keep_scores(database, *(score(*each) for each in zip(ids, shares, strict=True)))
    keep_embeddings(database, ids)


def label(address: str, annotator: str, batches: int) -> None:
    """Ask for batches of three, label each, and print the ids."""
    manager = ActiveLearningManager(
        "margin", 3, store=Database.open(address), kind="category", annotator=annotator
    )
    for _ in range(batches):
        chosen = manager.select_samples(stored_pool(Database.open(address), "category").samples)
        manager.add_labels(chosen.selected_samples, ["legal", "healthcare", "legal"][: len(chosen)])
        print(*(sample.id for sample in chosen.selected_samples), flush=True)


if __name__ == "__main__":
    label(sys.argv[1], sys.argv[2], int(sys.argv[3]))
