"""One run: a server, workers and a sender in a folder of their own, and the means to harm them.

One thread does everything but the sending. Whatever waits does so by `tick`, which starts workers
again that are gone; so a scenario reads as a plain sequence of what is done to the fleet.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from pathlib import Path

from . import effects, tally, traps
from .computations import ComputationLog
from .conditions import Conditions
from .faults import Fault, FaultLog
from .sending import Sender, Sending
from .server import ChaosServer
from .sides import Side
from .sizes import Size
from .stillness import Stillness
from .workers import Worker, Workers

TICK_S = 0.02
START_TIMEOUT_S = 60.0
STALL_S = 45.0
"""A moment that does not come in this time is taken as it is: its jobs may be lost."""


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
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(self.workers.ready()) < self.size.workers:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the workers do not start: see {self.conditions.folder}/logs")
            self.tick()

    def moments(self, count: int) -> list[int]:
        """Draw ``count`` moments, as numbers of jobs that have been begun."""
        return sorted(self.rng.sample(range(self.size.jobs * 9 // 10), count))

    def reach(self, jobs: int) -> None:
        """Wait until so many jobs have been begun, or nothing has moved for `STALL_S`."""
        still = Stillness()
        while (begun := self.computations.follow()) < jobs and still.seconds(begun) < STALL_S:
            self.tick()

    def finish(self) -> None:
        """Wait until all is sent, all is accounted for and everything is quiet.

        Raises:
            RuntimeError: the sending has come to a halt.
        """
        self._finish_sending()
        still = Stillness()
        while (silent_s := still.seconds(effects.count(self.conditions.store))) < (
            self.side.patience_s
        ):
            if self.side.is_quiet() and self._is_over(silent_s):
                self.pause(self.size.settle_s)
                if self.side.is_quiet():
                    return
            self.pause(0.2)

    def _finish_sending(self) -> None:
        still = Stillness()
        while not self.sender.is_done():
            moved = (len(self.sender.sent), len(self.computations.all))
            if still.seconds(moved) > self.side.patience_s:
                raise RuntimeError(f"the sending has come to a halt after {moved[0]} jobs")
            self.tick()

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
