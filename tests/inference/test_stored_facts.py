"""What scoring and indexing leave for filters, by the handlers of a worker and its job runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from jobsentinel import Producer, Settings
from jobsentinel.contract.filters import parse_filter
from jobsentinel.contract.results import PostingScore
from jobsentinel.streams import JobStream
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.inference.batcher import Batcher
from jobsentinel_workers.inference.handlers import InferenceHandlers
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.jobs.leases import LeaseKeeper
from jobsentinel_workers.jobs.lifecycle import JobRunner
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.posting_filters import matching_ids

COOK = {
    "id": "cook",
    "title": "Koch (m/w/d)",
    "location": "KÖLN",
    "salary": "$20 - $25 an hour",
    "remote": False,
    "posted_at": "2026-11-20",
}
NURSE = {"id": "nurse", "title": "Night nurse", "description": "We pay $70,000 to $80,000 a year."}

Work = Callable[[JobStream[Any, Any]], None]


@pytest.fixture
def work(settings: Settings, producer: Producer, database: Database) -> Iterator[Work]:
    """Work on jobs like an inference process."""
    threads = torch.get_num_threads()
    keeper, batcher = LeaseKeeper(producer.ledger, settings.lease_s), Batcher()
    models = ServingModels(settings)
    handlers = InferenceHandlers(database, models, batcher, AuditLog(settings))
    runner = JobRunner(
        settings=settings,
        ledger=producer.ledger,
        leases=keeper,
        database=database,
        handlers=handlers.by_task(),
        owner="test",
    )

    def work(stream: JobStream[Any, Any]) -> None:
        for job in stream.jobs:
            runner.run(job.job_id)

    yield work
    batcher.stop()
    keeper.stop()
    torch.set_num_threads(threads)


@pytest.fixture
def matches(database: Database) -> Callable[[str], set[str]]:
    """Ask the store."""

    def matches(where: str) -> set[str]:
        with database.connect() as connection:
            return matching_ids(connection, parse_filter(where))

    return matches


def test_what_was_scored_can_be_filtered_by_what_it_says_and_by_its_score(
    producer: Producer, work: Work, matches: Callable[[str], set[str]]
) -> None:
    stream = producer.score([COOK, NURSE], profile="Registered nurse, ten years")
    work(stream)
    scores: dict[str, PostingScore] = {s.posting_id: s for s in stream.result(timeout_s=5)}

    assert matches('location = "Köln" and remote = false and posted_at = 2026-11-20') == {"cook"}
    assert matches("stated_salary = 52000") == {"cook"}
    assert matches("salary = 80k") == {"nurse"}
    for id_, score in scores.items():
        assert score.category is not None
        assert score.scam is not None
        assert score.salary_year_usd is not None
        estimate, scam = score.salary_year_usd.value, score.scam.probability
        assert id_ in matches(f'category = "{score.category.label}"')
        assert matches(f"estimated_salary = {estimate:.20f} and scam = {scam:.20f}") == {id_}
        assert id_ in matches(f"match = {score.match_quality:.20f}")


def test_the_newest_score_counts_and_one_of_another_model_does_not_touch_it(
    producer: Producer, work: Work, matches: Callable[[str], set[str]]
) -> None:
    # Given a posting scored with a profile; when it is scored without one
    work(producer.score([NURSE], profile="Registered nurse, ten years"))
    assert matches("match is known") == {"nurse"}
    work(producer.score([NURSE]))

    # Then that score counts, and indexing the posting again leaves it
    assert matches("match is unknown and scam is known") == {"nurse"}
    work(producer.index([{**NURSE, "location": "Boston"}]))
    assert matches('scam is known and location = "boston" and salary = 80k') == {"nurse"}


def test_what_was_only_indexed_has_its_stated_salary_and_no_score(
    producer: Producer, work: Work, matches: Callable[[str], set[str]]
) -> None:
    work(producer.index([COOK, NURSE]))

    assert matches("salary >= 50k and salary < 60_000") == {"cook"}
    assert matches("scam is unknown and category is unknown and match is unknown") == {
        "cook",
        "nurse",
    }
    assert matches("estimated_salary is known") == set()
