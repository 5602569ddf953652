"""The log of computings: one line each time a worker begins to compute a job.

Lines are appended in one write, so that processes share the file and a killed one leaves no half.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

from .conditions import Conditions


@dataclass(frozen=True, slots=True)
class Computation:
    """A job that a process began to compute at ``at`` (seconds since 1970)."""

    job_id: str
    attempt: int
    pid: int
    at: float


def log_path(folder: Path) -> Path:
    """Return where a run's log is."""
    return folder / "computed.log"


class Work:
    """The work of a job: a line in the log, and a pause drawn from seed and job id."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._log = os.open(
            log_path(conditions.folder), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
        )

    def compute(self, job_id: str, attempt: int) -> None:
        """Do a job once."""
        line = f"{job_id} {attempt} {os.getpid()} {time.time():.6f}\n"
        os.write(self._log, line.encode("ascii"))
        drawn = random.Random(f"{self._conditions.seed}:{job_id}")
        time.sleep(drawn.uniform(0.5, 1.5) * self._conditions.work_ms / 1000)


class ComputationLog:
    """Reads the log while it grows."""

    def __init__(self, folder: Path) -> None:
        self._path = log_path(folder)
        self._path.touch()
        self._read_to = 0
        self.all: list[Computation] = []
        self.jobs: set[str] = set()

    def follow(self) -> int:
        """Read what is new and return how many jobs were computed at least once."""
        with self._path.open("rb") as log:
            log.seek(self._read_to)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.decode("ascii").splitlines():
            job_id, attempt, pid, at = line.split()
            self.all.append(Computation(job_id, int(attempt), int(pid), float(at)))
            self.jobs.add(job_id)
        return len(self.jobs)
