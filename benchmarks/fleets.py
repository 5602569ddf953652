"""Fleets for one measurement: servers, stores and models of their own, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from jobsentinel import Producer, Settings
from jobsentinel_workers.fleet import Fleet


@contextmanager
def new_settings() -> Iterator[Settings]:
    """Yield settings over an empty data folder."""
    with TemporaryDirectory() as folder:
        yield Settings.load(data_dir=Path(folder))


@contextmanager
def running_fleet(settings: Settings) -> Iterator[tuple[Fleet, Producer]]:
    """Yield a fleet that consumes, and a producer for it."""
    with Fleet(settings) as fleet:
        fleet.wait_ready()
        with Producer(settings=settings.changed(redis_url=fleet.redis_url)) as producer:
            yield fleet, producer


@contextmanager
def new_fleet() -> Iterator[Producer]:
    """Yield the producer of a fleet with an empty store."""
    with new_settings() as settings, running_fleet(settings) as (_, producer):
        yield producer
