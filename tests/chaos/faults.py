"""What was done to a run and when; recovery is measured from here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Fault:
    """Damage from ``began`` to ``ended`` (seconds since 1970); ``pid`` is a worker's, if one's."""

    kind: str
    began: float
    ended: float
    pid: int | None = None
    job_id: str | None = None
    """The job that a worker had only just taken, when it cannot be told from the log."""


class FaultLog:
    """The faults of a run in the order in which they began."""

    def __init__(self) -> None:
        self.all: list[Fault] = []

    def note(self, kind: str, *, pid: int | None = None) -> Fault:
        """Record a fault of this moment; call it just before the damage is done."""
        now = time.time()
        fault = Fault(kind, now, now, pid)
        self.all.append(fault)
        return fault

    @contextmanager
    def outage(self, kind: str, *, pid: int | None = None) -> Iterator[None]:
        """Record a fault that lasts as long as the block."""
        fault = self.note(kind, pid=pid)
        try:
            yield
        finally:
            fault.ended = time.time()
