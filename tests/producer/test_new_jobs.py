"""Which requests are the job that was sent before, and which are new each time."""

from __future__ import annotations

import pytest

from jobsentinel.contract.base import Message
from jobsentinel.contract.requests import RerankRequest
from jobsentinel.contract.training_requests import FineTuneRequest
from jobsentinel.new_jobs import make_job

INLINE = [{"id": "a", "text": "Nurse"}]


def job_id(task: str, request: Message, **options: str) -> str:
    return make_job(task, request, generation=lambda: "1", **options).job_id


def test_ranking_the_same_candidates_again_is_the_same_job() -> None:
    request = RerankRequest.parse({"query": "nurse", "candidates": INLINE})

    assert job_id("rerank", request) == job_id("rerank", request)


@pytest.mark.parametrize(
    ("task", "request_"),
    [
        ("rerank", RerankRequest.parse({"query": "nurse"})),
        (
            "fine_tune",
            FineTuneRequest.parse({"name": "own", "task": "regression", "dataset": "labels:all"}),
        ),
    ],
)
def test_what_reads_the_store_is_new_each_time_unless_a_key_says_otherwise(
    task: str, request_: Message
) -> None:
    assert job_id(task, request_) != job_id(task, request_)
    assert job_id(task, request_, key="mine") == job_id(task, request_, key="mine")
