"""Every message comes more than once, as brokers that promise at-least-once may send it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import redis

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size

Copies = list[tuple[str, bytes]]


class Duplicates(Scenario):
    """Each message is put into its queue again: at once, while it runs, and when it is done."""

    name = "duplicates"
    title = "messages duplicated"
    quick = Size.quick(100, 20, backlog=100)
    long = Size(1_000, 100, backlog=1_000)

    def begin(self, arena: Arena) -> None:
        """Send everything, and copy it, before any worker is there."""
        arena.sender.start()
        while not arena.sender.is_done():
            arena.tick()

    def harm(self, arena: Arena) -> None:
        """Push every message three times more, and some once more at each moment."""
        with arena.server.client() as client:
            messages = _messages(client, arena.side.queues())
            _push(client, arena, messages)
            arena.start_workers()
            for moment in arena.moments(arena.size.faults):
                arena.reach(moment)
                _push(client, arena, arena.rng.sample(messages, 5))
            arena.reach(arena.size.jobs)
            _push(client, arena, [(queue, _retagged(message)) for queue, message in messages])
            arena.finish()
            _push(client, arena, messages)


def _messages(client: redis.Redis, queues: list[str]) -> Copies:
    waiting: dict[str, Any] = {queue: client.lrange(queue, 0, -1) for queue in queues}
    return [(queue, message) for queue, messages in waiting.items() for message in messages]


def _push(client: redis.Redis, arena: Arena, messages: Copies) -> None:
    arena.faults.note("messages duplicated")
    for queue, message in messages:
        client.lpush(queue, message)


def _retagged(message: bytes) -> bytes:
    """The same message under a delivery tag that Celery has not seen."""
    envelope = json.loads(message)
    envelope["properties"]["delivery_tag"] = str(uuid.uuid4())
    return json.dumps(envelope).encode("utf-8")
