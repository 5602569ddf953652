"""A store and claimed jobs, for what a training process does around its trainer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobsentinel import Producer
from jobsentinel.handles import JobHandle
from jobsentinel.ledger import Claim
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.jobs.stopping import StopSignal

ROWS = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(8)]


@pytest.fixture
def job(producer: Producer) -> JobHandle[object]:
    """A training job that waits."""
    return producer.fine_tune("mine", ROWS, task="classification")


@pytest.fixture
def claim(producer: Producer, job: JobHandle[object]) -> Callable[[], JobContext]:
    """Claim the job as a worker does, as often as it may be claimed."""
    owners = iter(range(100))

    def claim() -> JobContext:
        claimed = producer.ledger.claim(
            job.job_id, owner=f"test/{next(owners)}", lease_s=60, max_attempts=3
        )
        assert isinstance(claimed, Claim)
        return JobContext(claimed, producer.ledger, stop=StopSignal())

    return claim
