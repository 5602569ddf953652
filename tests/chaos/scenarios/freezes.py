"""Processes stand still for a while and then go on as if nothing had happened."""

from __future__ import annotations

import signal
from typing import ClassVar

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size


class ServerFrozen(Scenario):
    """SIGSTOP of the server: connections stay open and nothing answers."""

    name = "server-freeze"
    title = "server frozen"
    quick = Size.quick(150, 1, outage_s=3.0)
    long = Size(2_000, 4, outage_s=60.0)

    def harm(self, arena: Arena) -> None:
        """Freeze the server at each moment, the last time for long."""
        shorter = [arena.size.outage_s / 20] * (arena.size.faults - 1)
        moments = arena.moments(arena.size.faults)
        for moment, seconds in zip(moments, [*shorter, arena.size.outage_s], strict=True):
            arena.reach(moment)
            with arena.faults.outage("server frozen"):
                arena.server.freeze()
                arena.pause(seconds)
                arena.server.thaw()


class WorkerFrozen(Scenario):
    """SIGSTOP of a worker for longer than its lease: its jobs go to others, and it stores none."""

    name = "worker-freeze"
    title = "worker frozen past its lease"
    quick = Size.quick(150, 1, work_ms=200.0, outage_s=3.5)
    long = Size(1_500, 5, workers=3, work_ms=50.0, outage_s=7.0)
    shows: ClassVar = ("faults", "computed_twice")

    def harm(self, arena: Arena) -> None:
        """Freeze one worker at each moment."""
        for moment in arena.moments(arena.size.faults):
            arena.reach(moment)
            worker = arena.draw_a_worker()
            with arena.faults.outage("worker frozen", pid=worker.pid):
                worker.send(signal.SIGSTOP)
                arena.pause(arena.size.outage_s)
                worker.send(signal.SIGCONT)
