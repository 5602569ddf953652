"""Fixtures for the tests of those who use JobSentinel; pytest finds them by an entry point.

A fleet is started for the first test that asks for one, in a folder and on a server of its own, and
ends with the test run. Nothing of it is imported before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jobsentinel import Producer
    from jobsentinel.testing import MemoryProducer
    from jobsentinel_workers.fleet import Fleet


@pytest.fixture
def jobsentinel_memory() -> MemoryProducer:
    """A producer without Redis and workers, whose answers are made up."""
    from jobsentinel.testing import MemoryProducer

    return MemoryProducer()


@pytest.fixture(scope="session")
def jobsentinel_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """An embedded server and both worker pools, ready for work; it takes some 20 s to start."""
    from jobsentinel import Settings
    from jobsentinel_workers.fleet import Fleet

    settings = Settings.load(data_dir=tmp_path_factory.mktemp("jobsentinel"))
    # Whatever the environment says: a test never touches a fleet that was there before.
    private = settings.model_copy(update={"redis_url": None, "database_url": None})
    with Fleet(private) as fleet:
        fleet.wait_ready()
        yield fleet


@pytest.fixture
def jobsentinel_producer(jobsentinel_fleet: Fleet) -> Iterator[Producer]:
    """A producer of `jobsentinel_fleet`."""
    from jobsentinel import Producer

    settings = jobsentinel_fleet.settings.changed(redis_url=jobsentinel_fleet.redis_url)
    with Producer(settings=settings) as producer:
        yield producer
