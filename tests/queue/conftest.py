"""A ledger on a real server, and a store of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from jobsentinel import Settings
from jobsentinel.ledger import Ledger
from jobsentinel_workers.store import Database


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.resolve_redis_url()) as client:
        yield client


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings.namespace)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    settings.data_dir.mkdir(parents=True)
    database = Database.open(settings.store_url)
    yield database
    database.close()
