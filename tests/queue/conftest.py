"""A ledger on a real server, and a store of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from jobsentinel import Settings
from jobsentinel.ledger import Ledger


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.resolve_redis_url()) as client:
        yield client


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings.namespace)
