"""Workers are told to stop again and again, as by a deployment that cannot settle."""

from __future__ import annotations

import signal

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size


class Stops(Scenario):
    """SIGTERM, and often a second one while the worker is stopping."""

    name = "stops"
    title = "workers told to stop"
    quick = Size.quick(150, 4, work_ms=20.0)
    long = Size(3_000, 40, workers=3, work_ms=20.0)

    def harm(self, arena: Arena) -> None:
        """Tell one worker to stop at each moment."""
        for moment in arena.moments(arena.size.faults):
            arena.reach(moment)
            worker = arena.signal_a_worker(signal.SIGTERM)
            if arena.rng.random() < 0.5:
                arena.pause(arena.rng.uniform(0, 0.3))
                worker.send(signal.SIGTERM)
