"""The clock of the server jumps, as when a machine's time is corrected."""

from __future__ import annotations

import importlib.resources
import signal
import time
from pathlib import Path

from ..arena import Arena
from ..disk import NotPossible
from ..scenario import Scenario
from ..server import ChaosServer
from ..sizes import Size

HOUR_S = 3600
FOLLOWS_WITHIN_S = 5.0


class ClockJumps(Scenario):
    """An hour forward, then two back, under work; every worker is killed at each jump."""

    name = "clock"
    title = "server's clock jumps"
    quick = Size.quick(150, 2)
    long = Size(2_000, 4, workers=3)

    def server(self, folder: Path) -> ChaosServer:
        """Return a server whose clock is ahead by what the file ``clock`` says."""
        folder.mkdir(parents=True)
        return ChaosServer(folder / "data", environment=_false_clock(folder / "clock"))

    def harm(self, arena: Arena) -> None:
        """Set the clock at each moment, and kill all workers soon after."""
        offsets = [HOUR_S if jump % 2 == 0 else -HOUR_S for jump in range(arena.size.faults)]
        moments = arena.moments(arena.size.faults)
        for moment, offset_s in zip(moments, offsets, strict=True):
            arena.reach(moment)
            # The one that reconciles is among them: what it has locked until a time that is now
            # far away must not keep the others from it.
            for worker in arena.workers.ready():
                arena.faults.note("killed before a jump", pid=worker.pid)
                worker.send(signal.SIGKILL)
            _set_clock(arena, offset_s)
            arena.pause(arena.rng.uniform(0.1, 0.5))


def _false_clock(file: Path) -> dict[str, str]:
    _write(file, 0)
    return {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _library() -> Path:
    found = sorted(Path(str(importlib.resources.files("libfaketime"))).rglob("libfaketime.so*"))
    if not found:
        raise NotPossible("the package libfaketime has no library for this platform")
    return found[0]


def _write(file: Path, offset_s: int) -> None:
    # Replaced in one step: the server reads it at every look at its clock.
    temporary = file.with_suffix(".new")
    temporary.write_text(f"{offset_s:+d}\n", encoding="ascii")
    temporary.replace(file)


def _set_clock(arena: Arena, offset_s: int) -> None:
    """Move the server's clock, and wait until it has moved."""
    with arena.server.client() as client:
        before, _ = client.time()
        _write(arena.conditions.folder / "server" / "clock", offset_s)
        deadline = time.monotonic() + FOLLOWS_WITHIN_S
        while abs(client.time()[0] - before) < HOUR_S / 2:
            if time.monotonic() > deadline:
                raise NotPossible("the server does not follow the false clock of libfaketime")
            time.sleep(0.01)
