"""A feed of the scores in the store, read through the fleet: its database need not be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis

from jobsentinel.contract.stored_scores import ReadResultsResult, StoredScore
from jobsentinel.redis_client import unavailable

_LOOK_AGAIN_S: Final = 30.0
"""Between two looks at the store, should the news of a job's end have been missed."""

ReadPage = Callable[[int], ReadResultsResult]


def feed(
    client: redis.Redis, prefix: str, read: ReadPage, *, since: int, follow: bool
) -> Iterator[StoredScore]:
    """Yield the scores after ``since``; with ``follow`` without end, waiting for new ones.

    Raises:
        QueueUnavailable: Redis went away; a new feed goes on behind the last score.
    """
    with _news(client, f"{prefix}closed:score-*") as wait_for_news:
        while True:
            page = read(since)
            yield from page.scores
            since = page.next_since
            if page.is_last:
                if not follow:
                    return
                wait_for_news()


@contextmanager
def _news(client: redis.Redis, channels: str) -> Iterator[Callable[[], None]]:
    """Listen before anything is read, so that nothing falls between reading and waiting."""
    open_channel: Any = client.pubsub  # untyped in redis-py
    with unavailable(), open_channel(ignore_subscribe_messages=True) as listening:
        listening.psubscribe(channels)

        def wait() -> None:
            if listening.get_message(timeout=_LOOK_AGAIN_S) is None:
                return
            while listening.get_message() is not None:  # many jobs, one look
                pass

        yield wait
