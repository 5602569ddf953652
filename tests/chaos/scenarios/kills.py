"""Workers are killed at random moments."""

from __future__ import annotations

import signal

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size


class Kills(Scenario):
    """SIGKILL, as the kernel sends it when memory is short."""

    name = "kills"
    title = "workers killed"
    quick = Size.quick(200, 4)
    long = Size(10_000, 100, workers=3)

    def harm(self, arena: Arena) -> None:
        """Kill one worker at each moment."""
        for moment in arena.moments(arena.size.faults):
            arena.reach(moment)
            arena.pause(arena.rng.uniform(0, 0.1))
            arena.signal_a_worker(signal.SIGKILL)
