"""The workers of a run: real Celery processes, started again as soon as they are gone."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import children

CRASHES_ALLOWED = 20
"""Ends that nobody caused; more of them are a worker that cannot work."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a worker is started; ``ready_variable`` names the file that it makes when it consumes."""

    command: tuple[str, ...]
    environment: dict[str, str]
    ready_variable: str


@dataclass(slots=True)
class Worker:
    """One place of a worker and the process that fills it now."""

    name: str
    program: Program
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    doomed: bool = False
    """Somebody here has ended it."""
    start_seconds: list[float] = field(default_factory=list)
    _started_at: float = 0.0

    @property
    def pid(self) -> int:
        """The process id, of the last process too."""
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> Path:
        """Where the output of all its processes is."""
        return self.folder / f"{self.name}.log"

    @property
    def _ready_file(self) -> Path:
        return self.folder / f"{self.name}.ready"

    def start(self) -> None:
        """Start a process in this place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        self.doomed = False
        self._started_at = time.monotonic()
        self.process = children.start(
            [*self.program.command, "-n", f"{self.name}@%h"],
            self.log,
            {**self.program.environment, self.program.ready_variable: str(self._ready_file)},
        )

    def is_ready(self) -> bool:
        """Return whether it consumes and nobody has ended it; notes how long its start took."""
        if self.doomed or not self._ready_file.exists():
            return False
        if self._started_at:
            self.start_seconds.append(time.monotonic() - self._started_at)
            self._started_at = 0.0
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one still."""
        self.doomed = self.doomed or number in {signal.SIGKILL, signal.SIGTERM}
        assert self.process is not None
        self.process.send_signal(number)

    def has_ended(self) -> bool:
        """Return whether the place is empty."""
        return self.process is None or self.process.poll() is not None


class Workers:
    """All workers of a run, in the order of their names."""

    def __init__(self, program: Program, count: int, folder: Path) -> None:
        self._all = [Worker(f"chaos{i}", program, folder) for i in range(count)]
        self.crashes = 0

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._all)

    def start(self) -> None:
        """Start all of them."""
        for worker in self._all:
            worker.start()

    def tend(self) -> None:
        """Start again whatever has ended; call it often.

        Raises:
            RuntimeError: workers end by themselves again and again.
        """
        for worker in self._all:
            worker.is_ready()
            if worker.process is not None and worker.has_ended():
                self._note_crash(worker)
                worker.start()

    def ready(self) -> list[Worker]:
        """Return those that consume."""
        return [worker for worker in self._all if worker.is_ready()]

    def kill(self) -> None:
        """End all of them at once."""
        for worker in self._all:
            if worker.process is not None:
                children.kill(worker.process)

    def start_seconds(self) -> list[float]:
        """Return how long each start took until it consumed."""
        return [seconds for worker in self._all for seconds in worker.start_seconds]

    def _note_crash(self, worker: Worker) -> None:
        assert worker.process is not None
        # A trap is a SIGKILL that the worker sends itself.
        if worker.doomed or worker.process.returncode == -signal.SIGKILL:
            return
        self.crashes += 1
        if self.crashes > CRASHES_ALLOWED:
            tail = worker.log.read_text("utf-8", "replace")[-3000:]
            raise RuntimeError(f"{worker.name} ends by itself again and again:\n{tail}")
