"""The server ends and comes back with what its append-only file holds.

It runs as the embedded one does, with ``appendfsync everysec``: Redis then promises all but the
last second. So producers that may lose nothing keep their jobs until they are done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size


class ServerRestarts(Scenario):
    """SIGTERM and a new start."""

    name = "server-restarts"
    title = "server restarted"
    quick = Size.quick(150, 2, outage_s=0.5)
    long = Size(3_000, 6, outage_s=3.0)

    def harm(self, arena: Arena) -> None:
        """Restart the server at each moment."""
        _at_moments(arena, arena.server.stop)


class ServerKills(Scenario):
    """SIGKILL and a new start."""

    name = "server-kills"
    title = "server killed"
    quick = Size.quick(150, 1, outage_s=0.5)
    long = Size(3_000, 6, outage_s=3.0)
    producer_changes: ClassVar = {"keep_until_done": True}

    def harm(self, arena: Arena) -> None:
        """Kill the server at each moment."""
        _at_moments(arena, arena.server.kill)


class PowerCuts(Scenario):
    """As a power cut does it: the server is gone, and its file is as it was a second ago."""

    name = "power-cuts"
    title = "server lost its last second"
    quick = Size.quick(200, 1, outage_s=0.5)
    long = Size(3_000, 6, outage_s=3.0)
    producer_changes: ClassVar = {"keep_until_done": True}

    def harm(self, arena: Arena) -> None:
        """Kill the server at each moment, and take the last second from its file."""
        _at_moments(arena, lambda: self._cut(arena))

    @staticmethod
    def _cut(arena: Arena) -> None:
        written_bytes = arena.server.written_bytes()
        arena.pause(1.0)
        arena.server.kill()
        arena.server.take_back(written_bytes)


def _at_moments(arena: Arena, end: Callable[[], None]) -> None:
    """End the server in one way or the other at each moment, and start it after a pause."""
    for moment in arena.moments(arena.size.faults):
        arena.reach(moment)
        with arena.faults.outage("server away"):
            end()
            arena.pause(arena.rng.uniform(0.2, 1.0) * arena.size.outage_s)
            arena.server.start()
