"""Feedback on searches trains the reranker: from labels sent to the verdict that is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from jobsentinel import Producer, Settings
from jobsentinel.contract import wire
from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Label
from jobsentinel.contract.results import TrainResult
from jobsentinel.handles import JobHandle
from jobsentinel.ledger import Claim
from jobsentinel_workers.datasets import load
from jobsentinel_workers.gate import read_verdict
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.jobs.stopping import StopSignal
from jobsentinel_workers.models_in_service import open_registry
from jobsentinel_workers.store import Database, labels, postings
from jobsentinel_workers.training.handlers import TrainingHandlers

TRADES = ("welder", "florist", "notary", "pilot")
PLACES = ("market", "bridge", "tower", "harbour")
"""Of these queries four judge, by their words."""
QUERIES = tuple(f"{trade} at the {place}" for trade in TRADES for place in PLACES)
OPTIONS = {"epochs": 1, "max_tokens": 24, "gate": {"min_rows": 6, "max_latency_ratio": 1_000.0}}


@pytest.fixture
def stored(database: Database) -> Database:
    """A store with a posting for each trade."""
    about = ((trade, f"{trade} wanted") for trade in TRADES)
    rows = [
        {"id": trade, "title": trade, "description": "", "text": text, "content_hash": trade}
        for trade, text in about
    ]
    with database.begin() as connection:
        postings.upsert(connection, rows)
    return database


def feedback(at: int, query: str, trade: str) -> Label:
    """An application or a save where the trade is that of the query, else what refuses it."""
    about = {"posting_id": trade, "kind": "relevance", "query": query, "annotator": "ann"}
    if query.startswith(trade):
        event = ("applied", "saved")[at % 2]
        return Label.parse(about | {"event": event, "shown_rank": 1 + at % 20})
    return Label.parse(about | ({"event": "dismissed"} if at % 2 else {"value": 0.1}))


def add(database: Database, queries: Sequence[str]) -> int:
    rows = [
        dump(feedback(at, query, trade)) for at, query in enumerate(queries) for trade in TRADES
    ]
    with database.begin() as connection:
        return labels.add(connection, rows)


def run(settings: Settings, database: Database, producer: Producer, **options: Any) -> TrainResult:
    """Ask for a reranker, and do the job as a training worker does."""
    asked = {"task": "reranker", "dataset": "labels:all", **OPTIONS, **options}
    job: JobHandle[Any] = producer.fine_tune("reranker", **asked)
    claim = producer.ledger.claim(job.job_id, owner="test", lease_s=300, max_attempts=3)
    assert isinstance(claim, Claim)
    handlers = TrainingHandlers(settings, database, producer.ledger)
    _, request = wire.decode_request(claim.payload)
    answer = handlers.fine_tune(request, JobContext(claim, producer.ledger, stop=StopSignal()))
    with database.begin() as connection:
        assert answer.store is not None
        answer.store(connection)
    assert isinstance(answer.result, TrainResult)
    return answer.result


# A reranker of the packaged size is trained here: some seconds.
def test_feedback_trains_a_reranker_that_is_judged_by_other_queries(
    settings: Settings, stored: Database, producer: Producer
) -> None:
    # Given feedback of many queries
    assert add(stored, QUERIES) == len(QUERIES) * len(TRADES)

    # When a reranker is trained on it
    trained = run(settings, stored, producer)

    # Then it learnt from events and ratings, by their ranks
    registry = open_registry(settings)
    version = registry.get("reranker", trained.version)
    with stored.connect() as connection:
        learnt = load(connection, version.lineage["dataset"])
    assert len(learnt.rows) == len(QUERIES) * len(TRADES)
    assert {row["score"] for row in learnt.rows} == {0.0, 0.1, 1.0}
    assert max(row.get("weight", 1.0) for row in learnt.rows) == 10.0
    assert version.lineage["data_sha256"] == version.lineage["dataset"]

    # And whole queries judged it beside the reranker in service, and the verdict is kept
    verdict = read_verdict(version.path)
    assert verdict is not None
    assert verdict.champion == "reranker@0"
    judged = verdict.rows["reranker"]
    assert judged == 4 * len(TRADES)
    (main,) = (each for each in verdict.comparisons if each.role == "main")
    assert (main.metric, main.low is not None) == ("spearman", True)
    assert verdict.to_text() in trained.report


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "the store has 0 labelled postings for relevance; it must be 8 to 50,000"),
        ({"label_kind": "match"}, "label_kind: must be 'relevance' for the task reranker"),
    ],
)
def test_a_reranker_cannot_learn_from_what_is_not_there(
    settings: Settings, stored: Database, producer: Producer, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        run(settings, stored, producer, **options)


def test_feedback_trains_no_other_task(
    settings: Settings, stored: Database, producer: Producer
) -> None:
    add(stored, QUERIES)
    job: JobHandle[Any] = producer.fine_tune(
        "own", task="regression", dataset="labels:all", label_kind="relevance"
    )
    claim = producer.ledger.claim(job.job_id, owner="test", lease_s=300, max_attempts=3)
    assert isinstance(claim, Claim)
    _, request = wire.decode_request(claim.payload)

    handlers = TrainingHandlers(settings, stored, producer.ledger)
    context = JobContext(claim, producer.ledger, stop=StopSignal())
    with pytest.raises(InvalidInput, match="is 'relevance', which trains the task reranker only"):
        handlers.fine_tune(request, context)
