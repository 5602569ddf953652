"""What a scenario is, and how one is run for one side."""

from __future__ import annotations

import contextlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from .arena import Arena
from .conditions import Conditions
from .our_side import Ours
from .sending import Sending
from .server import ChaosServer
from .sides import Side
from .sizes import Size
from .stock_side import Stock
from .tally import Tally

OURS, STOCK = "ours", "stock"


class Scenario(ABC):
    """One kind of damage. What is drawn at random is drawn from the arena's generator."""

    name: ClassVar[str]
    title: ClassVar[str]
    quick: ClassVar[Size | None]
    long: ClassVar[Size]
    sides: ClassVar[tuple[str, ...]] = (OURS, STOCK)
    """Whom it can be done to."""
    shows: ClassVar[tuple[str, ...]] = ("faults",)
    """The figures of our fleet that are above zero when the damage has been felt."""
    producer_changes: ClassVar[Mapping[str, object]] = {}
    """Settings of our producer other than the workers'."""

    @abstractmethod
    def harm(self, arena: Arena) -> None:
        """Do the damage; jobs are being sent and worked on meanwhile."""

    def begin(self, arena: Arena) -> None:
        """Start workers and sender."""
        arena.start_workers()
        arena.sender.start()

    def sender(self, arena: Arena) -> Sending:
        """Return what sends the jobs."""
        return arena.sender

    def surroundings(self, conditions: Conditions) -> contextlib.AbstractContextManager[None]:
        """Return what stands around a run, from before its store is made."""
        del conditions
        return contextlib.nullcontext()

    def server(self, folder: Path) -> ChaosServer:
        """Return the server of a run."""
        return ChaosServer(folder)


def run(scenario: Scenario, side: str, size: Size, *, seed: int, folder: Path) -> Tally:
    """Run a scenario in an empty ``folder`` and count.

    Raises:
        NotPossible: this machine does not allow it.
        RuntimeError: the fleet cannot work at all.
    """
    (folder / "traps").mkdir(parents=True)
    server = scenario.server(folder / "server")
    conditions = Conditions(
        folder,
        server.url,
        seed=seed,
        work_ms=size.work_ms,
        pop_trap=size.pop_trap,
        claim_trap=size.claim_trap,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(_logged(folder / "producer.log"))
        stack.enter_context(scenario.surroundings(conditions))
        under_test = _side(side, conditions, size, scenario)
        under_test.prepare()
        arena = stack.enter_context(Arena(conditions, under_test, server, size))
        return _run(scenario, arena)


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Write down what the producer here says, for whoever looks into a loss."""
    log = logging.FileHandler(path)
    log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("jobsentinel")
    logger.addHandler(log)
    try:
        yield
    finally:
        logger.removeHandler(log)
        log.close()


def _run(scenario: Scenario, arena: Arena) -> Tally:
    began = time.monotonic()
    arena.sender = scenario.sender(arena)
    arena.server.start()
    scenario.begin(arena)
    scenario.harm(arena)
    arena.finish()
    return arena.count(scenario.title, time.monotonic() - began)


def _side(name: str, conditions: Conditions, size: Size, scenario: Scenario) -> Side:
    if name == STOCK:
        return Stock(conditions)
    return Ours(conditions, size.settings, scenario.producer_changes)
