"""A disk has no room for a while: that of the store, or that of the producer's outbox."""

from __future__ import annotations

import contextlib
import time
from typing import ClassVar

from ..arena import Arena
from ..conditions import Conditions
from ..disk import filled, small_disk
from ..scenario import OURS, Scenario
from ..sizes import Size

REFUSAL_S = 10.0
"""For so long at most the disk stays full until a job was refused."""


class StoreDiskFull(Scenario):
    """Nothing can be stored until there is room; the work goes on by itself then."""

    name = "store-disk"
    title = "disk of the store full"
    quick = Size.quick(150, 1, outage_s=2.0)
    long = Size(3_000, 3, outage_s=15.0)
    shows: ClassVar = ("faults", "computed_twice")

    def surroundings(self, conditions: Conditions) -> contextlib.AbstractContextManager[None]:
        """Give the store a disk of its own, with room for its log and all rows."""
        return small_disk(conditions.data_dir, megabytes=24)

    def harm(self, arena: Arena) -> None:
        """Fill the disk at each moment, and make room after a while."""
        for moment in arena.moments(arena.size.faults):
            arena.reach(moment)
            with arena.faults.outage("disk full"), filled(arena.conditions.data_dir):
                arena.pause(arena.size.outage_s)


class OutboxDiskFull(Scenario):
    """Redis is away and the outbox has no room: refused then, and accepted later, means stored."""

    name = "outbox-disk"
    title = "disk of the outbox full"
    quick = Size.quick(150, 1, outage_s=1.0)
    long = Size(2_000, 3, outage_s=6.0)
    shows: ClassVar = ("faults", "refused")
    sides: ClassVar = (OURS,)  # stock Celery keeps nothing when Redis is away

    def surroundings(self, conditions: Conditions) -> contextlib.AbstractContextManager[None]:
        """Give the producer a small disk."""
        return small_disk(conditions.producer_dir, megabytes=8)

    def harm(self, arena: Arena) -> None:
        """Stop the server at each moment, fill the disk, make room again, start the server."""
        for moment in arena.moments(arena.size.faults):
            arena.reach(moment // 2)  # so that there are jobs left to send
            with arena.faults.outage("server and disk away"):
                arena.server.stop()
                with filled(arena.conditions.producer_dir):
                    arena.pause(arena.size.outage_s)
                    self._wait_for_a_refusal(arena)
                arena.pause(arena.size.outage_s)
                arena.server.start()

    @staticmethod
    def _wait_for_a_refusal(arena: Arena) -> None:
        """The sender may be far ahead of the workers, and go on only when it has lost patience."""
        before, deadline = arena.sender.refused, time.monotonic() + REFUSAL_S
        while arena.sender.refused == before and time.monotonic() < deadline:
            arena.tick()
