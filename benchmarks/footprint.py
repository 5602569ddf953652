"""Memory of a worker, and what importing the light wing costs."""

from __future__ import annotations

import statistics
import subprocess
import sys

import psutil

from benchmarks.measure import Row, seconds
from jobsentinel_workers.fleet import Fleet


def import_time() -> list[Row]:
    """Return the seconds that ``import jobsentinel`` adds to starting Python."""

    def start(program: str) -> float:
        command = [sys.executable, "-c", program]
        return statistics.median(
            seconds(lambda: subprocess.run(command, check=True)) for _ in range(9)
        )

    bare = start("pass")
    return [
        Row("import jobsentinel", start("import jobsentinel") - bare, "s", "< 0.2"),
        Row(
            "import jobsentinel.Producer",
            start("import jobsentinel; jobsentinel.Producer") - bare,
            "s",
        ),
    ]


def resident_memory(fleet: Fleet) -> list[Row]:
    """Return the resident memory of the inference worker after its work, in MB."""
    pid = fleet.pid_of("inference")
    assert pid is not None, "the inference worker has ended"
    resident = psutil.Process(pid).memory_info().rss / 1e6
    return [Row("inference worker, resident, all models loaded", resident, "MB", "< 1000")]
