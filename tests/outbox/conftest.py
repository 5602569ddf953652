"""Jobs, an outbox of the test's own, and the queue as a worker would find it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from jobsentinel import Settings
from jobsentinel.backpressure import Gate
from jobsentinel.contract.requests import ScoreRequest
from jobsentinel.contract.tasks import BULK
from jobsentinel.flushing import Flusher, outbox_of
from jobsentinel.ledger import Ledger, connect
from jobsentinel.new_jobs import NewJob, make_job
from jobsentinel.outbox import Outbox

MakeJob = Callable[..., NewJob]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process in a role of `outbox_process.py`; it ends with the test."""
    program = Path(__file__).with_name("outbox_process.py")
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(program), *map(str, arguments)]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def new_job() -> MakeJob:
    """Make a job to score one posting, whose id follows from its number."""

    def make(number: int = 0, *, queue: str = BULK, deadline_s: float | None = None) -> NewJob:
        posting = {"id": f"p{number}", "title": "Nurse"}
        request = ScoreRequest.parse({"postings": (posting,)})
        return make_job("score", request, generation=lambda: "", queue=queue, deadline_s=deadline_s)

    return make


@pytest.fixture
def outbox(settings: Settings) -> Iterator[Outbox]:
    """The outbox of this test's settings."""
    made = outbox_of(settings)
    yield made
    made.close()


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of this test's namespace."""
    with connect(settings.resolve_redis_url()) as client:
        yield Ledger(client, settings.namespace)


@pytest.fixture
def flusher(settings: Settings, ledger: Ledger) -> Iterator[Flusher]:
    """Sends what waits in the outbox of this test's settings."""
    made = Flusher(ledger, Gate(ledger, settings), settings)
    yield made
    made.close()


@pytest.fixture
def queued(settings: Settings) -> Iterator[Callable[..., list[str]]]:
    """Return the ids of the jobs in a queue, in the order in which workers take them."""
    with redis.Redis.from_url(settings.resolve_redis_url()) as client:

        def ids(queue: str = BULK) -> list[str]:
            messages: Any = client.lrange(f"{settings.namespace}:{queue}", 0, -1)
            return [json.loads(message)["headers"]["id"] for message in reversed(messages)]

        yield ids
