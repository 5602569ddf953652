"""The settings that users have: nothing is made shorter for the sake of the test."""

from __future__ import annotations

import signal
from typing import ClassVar

from ..arena import Arena
from ..scenario import OURS, Scenario
from ..sizes import Size


class DefaultSettings(Scenario):
    """One SIGKILL; with the default lease the victim's jobs are to be stored within 45 s."""

    name = "defaults"
    title = "worker killed, default settings"
    quick = None
    long = Size(500, 1, settings={})
    sides: ClassVar = (OURS,)  # stock Celery's default is to wait for an hour

    def harm(self, arena: Arena) -> None:
        """Kill one worker."""
        (moment,) = arena.moments(1)
        arena.reach(moment)
        arena.signal_a_worker(signal.SIGKILL)
