"""The scraper is killed in mid-stream and started again with the same postings."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from .. import children, scraper
from ..arena import Arena
from ..scenario import Scenario
from ..sending import Sending
from ..sizes import Size


class ScraperProcess:
    """A `scraper` that is started again until it has come to its end."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self._command = command
        self._environment = environment
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.sent: list[str] = []
        self.refused = 0

    def start(self) -> None:
        """Start the scraper."""
        log = self._folder / "logs" / "scraper.log"
        self._process = children.start(self._command, log, self._environment)

    def kill(self) -> None:
        """Kill it, wherever it is."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)

    def tend(self) -> None:
        """Start it again if it has ended before its end."""
        if self._process is not None and self._process.poll() not in {None, 0}:
            self.refused += 1
            self.start()

    def is_done(self) -> bool:
        """Return whether it has sent everything."""
        if self._process is None or self._process.poll() != 0:
            return False
        noted = scraper.sent_path(self._folder).read_text("ascii").splitlines()
        self.sent = list(dict.fromkeys(noted))
        return True

    def stop(self) -> None:
        """End it for good."""
        if self._process is not None:
            children.kill(self._process)


class ScraperKills(Scenario):
    """SIGKILL of a scraper that streams postings through `Producer.score`."""

    name = "scraper"
    title = "scraper killed in mid-stream"
    quick = Size.quick(150, 2)
    long = Size(2_000, 15)
    shows: ClassVar = ("faults", "refused")

    def sender(self, arena: Arena) -> Sending:
        """Return the scraper."""
        argument, environment = arena.side.scraper()
        command = [sys.executable, "-m", "tests.chaos.scraper", argument, str(arena.size.jobs)]
        return ScraperProcess(command, environment, arena.conditions.folder)

    def harm(self, arena: Arena) -> None:
        """Kill the scraper at each moment."""
        scraping = arena.sender
        assert isinstance(scraping, ScraperProcess)
        for moment in arena.moments(arena.size.faults):
            arena.reach(moment)
            arena.pause(arena.rng.uniform(0, 0.1))
            arena.faults.note("scraper killed")
            scraping.kill()
