"""All connections to the server are cut again and again."""

from __future__ import annotations

import redis

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size


class ConnectionsCut(Scenario):
    """CLIENT KILL of everybody, workers and producers, listeners included."""

    name = "connections"
    title = "connections cut"
    quick = Size.quick(200, 10)
    long = Size(3_000, 60)

    def harm(self, arena: Arena) -> None:
        """Cut all connections at each moment, and once more soon after."""
        with arena.server.client() as client:
            for moment in arena.moments(arena.size.faults):
                arena.reach(moment)
                arena.faults.note("connections cut")
                _cut(client)
                arena.pause(arena.rng.uniform(0.1, 0.3))


def _cut(client: redis.Redis) -> None:
    for kind in ("normal", "pubsub"):
        client.client_kill_filter(_type=kind, skipme=True)
