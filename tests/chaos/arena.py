"""One run: a server, workers and a sender in a folder of their own, and the means to harm them.

One thread does everything but the sending. Whatever waits does so by `tick`, which starts workers
again that are gone; so a scenario reads as a plain sequence of what is done to the fleet.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import effects, tally, traps
from .computations import ComputationLog
from .conditions import Conditions
from .faults import Fault, FaultLog
from .sending import Sender, Sending
from .server import ChaosServer
from .sides import LONG_SETTINGS, QUICK_SETTINGS, Side
from .workers import Worker, Workers

TICK_S = 0.02
STALL_S = 45.0
"""A moment that does not come in this time is taken as it is: its jobs may be lost."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is: its jobs, its faults, its workers, and waits in seconds."""

    jobs: int
    faults: int
    workers: int = 2
    backlog: int = 200
    work_ms: float = 5.0
    outage_s: float = 2.0
    """How long each outage lasts, where faults are outages."""
    pop_trap: int = 0
    claim_trap: int = 0
    """As in `Conditions`."""
    settle_s: float = 5.0
    """How long all must stay quiet before it is counted."""
    settings: Mapping[str, object] = field(default_factory=lambda: LONG_SETTINGS)

    @classmethod
    def quick(cls, jobs: int, faults: int, **changes: Any) -> Size:
        """Return a size for a run of some ten seconds."""
        small = {"backlog": 40, "settle_s": 1.0, "settings": QUICK_SETTINGS}
        return cls(jobs, faults, **{**small, **changes})


class Arena:
    """A run of one scenario for one side; use it as a context manager."""

    def __init__(self, conditions: Conditions, side: Side, server: ChaosServer, size: Size) -> None:
        self.conditions = conditions
        self.side = side
        self.server = server
        self.size = size
        self.rng = random.Random(conditions.seed)
        self.faults = FaultLog()
        self.computations = ComputationLog(conditions.folder)
        self.workers = Workers(side.program(), size.workers, conditions.folder / "logs")
        self.sender: Sending = Sender(
            side, size.jobs, size.backlog, lambda: len(self.computations.jobs)
        )
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Arena:
        self._stack.callback(self.side.close)
        self._stack.callback(self.server.kill)
        self._stack.callback(self.workers.kill)
        self._stack.callback(self._stop_sending)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _stop_sending(self) -> None:
        self.sender.stop()

    # Time.

    def tick(self) -> None:
        """Start again what is gone, read what is new, and let a moment pass."""
        self.workers.tend()
        self.sender.tend()
        self.computations.follow()
        time.sleep(TICK_S)

    def pause(self, seconds: float) -> None:
        """Let the fleet work for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.tick()

    def start_workers(self) -> None:
        """Start the workers and wait until all consume."""
        self.workers.start()
        while len(self.workers.ready()) < self.size.workers:
            self.tick()

    def moments(self, count: int) -> list[int]:
        """Draw ``count`` moments, as numbers of jobs that have been begun."""
        return sorted(self.rng.sample(range(self.size.jobs * 9 // 10), count))

    def reach(self, jobs: int) -> None:
        """Wait until so many jobs have been begun, or nothing has moved for `STALL_S`."""
        seen, since = -1, time.monotonic()
        while (begun := self.computations.follow()) < jobs:
            if begun != seen:
                seen, since = begun, time.monotonic()
            if time.monotonic() - since > STALL_S:
                return
            self.tick()

    def finish(self) -> None:
        """Wait until all is sent, all is accounted for and everything is quiet."""
        while not self.sender.is_done():
            self.tick()
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < self.side.patience_s:
            stored = len(effects.read(self.conditions.store))
            if stored != seen:
                seen, since = stored, time.monotonic()
            if self.side.is_quiet() and self._is_over(time.monotonic() - since):
                self.pause(self.size.settle_s)
                if self.side.is_quiet():
                    return
            self.pause(0.2)

    def _is_over(self, silent_s: float) -> bool:
        missing = self.missing()
        return not missing or silent_s > self.side.redelivery_s

    def missing(self) -> set[str]:
        """Return the jobs that are sent and neither stored nor given up."""
        missing = set(self.sender.sent) - self.side.stored()
        return missing - self.side.given_up(missing) if missing else missing

    # Damage.

    def draw_a_worker(self) -> Worker:
        """Return one of the workers that consume, drawn by lot; wait for one if need be."""
        drawn = self.rng.random()
        while not (ready := self.workers.ready()):
            self.tick()
        return ready[int(drawn * len(ready))]

    def signal_a_worker(self, number: signal.Signals) -> Worker:
        """Send a signal to a worker that consumes, drawn by lot, and record it as a fault."""
        worker = self.draw_a_worker()
        self.faults.note(number.name, pid=worker.pid)
        worker.send(number)
        return worker

    def count(self, scenario: str, seconds: float) -> tally.Tally:
        """Return what became of the jobs."""
        self.computations.follow()
        sent = set(self.sender.sent)
        stored = self.side.stored()
        found = tally.Evidence(
            sent=self.sender.sent,
            stored=stored,
            given_up=self.side.given_up(sent - stored),
            effects=effects.read(self.conditions.store),
            computations=self.computations.all,
            faults=[*self.faults.all, *_trapped(self.conditions.folder)],
            crashed=self.workers.crashes,
            refused=self.sender.refused,
        )
        return tally.count(scenario, self.side.title, seconds, found)


def _trapped(folder: Path) -> list[Fault]:
    return [
        Fault(trap.kind, trap.at, trap.at, trap.pid, trap.job_id) for trap in traps.sprung(folder)
    ]
