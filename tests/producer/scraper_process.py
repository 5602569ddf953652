"""Scrapers in processes of their own: ``python scraper_process.py ROLE FOLDER ADDRESS``."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from jobsentinel import Producer, Settings


def send(settings: Settings) -> None:
    """Send jobs without end; print the id of each that was accepted."""
    producer = Producer(settings=settings)
    for number in itertools.count():
        handle = producer.rerank(f"query {number}", [], idempotency_key=f"key {number}")
        print(handle.job_id, flush=True)


def drain(settings: Settings) -> None:
    """Send what an earlier process has left."""
    with Producer(settings=settings):
        pass


if __name__ == "__main__":
    _, role, folder, address = sys.argv
    chosen = Settings.load(
        data_dir=Path(folder), redis_url=address, max_queued_interactive=1_000_000
    )
    {"send": send, "drain": drain}[role](chosen)
