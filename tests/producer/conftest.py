"""A server that a test may stop and empty, and a worker that does what the test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import redis

from jobsentinel import Producer, RerankResult, Settings
from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.tasks import INTERACTIVE
from jobsentinel.ledger import Claim, Ledger
from jobsentinel_workers.embedded import EmbeddedServer

NOTHING_RANKED = RerankResult(ranked=(), candidates=0, timings_ms={}, models=())


class OwnServer:
    """A server of one test, which may be stopped, started and emptied."""

    def __init__(self, settings: Settings) -> None:
        self._server = EmbeddedServer(settings)
        self._server.start()
        self.url = self._server.url
        self.settings = settings.changed(redis_url=self.url)

    def stop(self) -> None:
        """End it; what it holds is on its disk."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, with what it held, at the same address."""
        self._server.start()
        assert self._server.url == self.url

    def client(self) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis.from_url(self.url)

    def empty(self) -> None:
        """Take everything out of it, as a failover to an empty server does."""
        with self.client() as client:
            client.flushall()


class HandWorker:
    """Takes messages out of a queue and answers jobs, one at a time, when it is told to."""

    def __init__(self, settings: Settings) -> None:
        self._client = redis.Redis.from_url(settings.resolve_redis_url())
        self._ledger = Ledger(self._client, settings.namespace)

    def queued(self, queue: str = INTERACTIVE) -> list[str]:
        """Return the ids of waiting messages, in the order in which workers take them."""
        messages: Any = self._client.lrange(f"{self._ledger.prefix}{queue}", 0, -1)
        return [json.loads(message)["headers"]["id"] for message in reversed(messages)]

    def take(self, queue: str = INTERACTIVE) -> Claim:
        """Wait for the next message of a queue and claim its job."""
        popped: Any = self._client.brpop([f"{self._ledger.prefix}{queue}"], timeout=60)
        job_id = json.loads(popped[1])["headers"]["id"]
        claim = self._ledger.claim(job_id, owner="test", lease_s=60, max_attempts=3)
        assert isinstance(claim, Claim), claim
        return claim

    def answer(self, claim: Claim, answer: Message = NOTHING_RANKED) -> None:
        """Finish a job."""
        packed = msgpack.packb(dump(answer))
        assert self._ledger.complete(claim.job_id, claim.token, ttl_s=60, result=packed)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnServer]:
    """A running server of the test's own."""
    made = OwnServer(Settings.load(data_dir=tmp_path / "data"))
    yield made
    made.stop()


@pytest.fixture
def make_worker() -> Iterator[Callable[[Settings], HandWorker]]:
    """Make a worker of a running server."""
    made: list[HandWorker] = []

    def make(settings: Settings) -> HandWorker:
        made.append(HandWorker(settings))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


@pytest.fixture
def make_producer() -> Iterator[Callable[..., Producer]]:
    """Make a producer, which is closed at the end of the test if it was not before."""
    made: list[Producer] = []

    def make(settings: Settings, **arguments: Any) -> Producer:
        made.append(Producer(settings=settings, **arguments))
        return made[-1]

    yield make
    for producer in made:
        producer.close()
