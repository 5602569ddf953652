"""Kills a worker at the two places where a queue is weakest, for jobs drawn by their id.

    popped     the message has left Redis and is recorded nowhere: kombu pops first, and notes the
               message as unacknowledged only when its callback runs
    received   the message is in the worker, whose task body has not begun

Each job springs a trap once: a marker file is made by whoever is killed for it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .conditions import Conditions

POPPED, RECEIVED = "popped", "received"


@dataclass(frozen=True, slots=True)
class Sprung:
    """A trap that killed the process ``pid`` when it had just taken ``job_id``."""

    kind: str
    job_id: str
    pid: int
    at: float


def set_traps(conditions: Conditions) -> None:
    """Arm this process; without traps in the conditions nothing is touched."""
    if conditions.pop_trap:
        _trap_pop(conditions)
    if conditions.claim_trap:
        _trap_claim(conditions)


def sprung(folder: Path) -> list[Sprung]:
    """Return the kills so far."""
    marks = (folder / "traps").glob("*:*")
    lines = [(mark.name.split(":", 1), mark.read_text("ascii").split()) for mark in marks]
    return [
        Sprung(kind, job_id, int(said[0]), float(said[1])) for (kind, job_id), said in lines if said
    ]


def _trap_pop(conditions: Conditions) -> None:
    from kombu.transport.virtual.base import Transport

    transport: Any = Transport  # untyped in kombu
    deliver = transport._deliver

    def deliver_or_die(self: Any, message: Any, queue: str) -> None:
        _die_once(conditions, POPPED, conditions.pop_trap, message["headers"]["id"])
        deliver(self, message, queue)

    transport._deliver = deliver_or_die


def _trap_claim(conditions: Conditions) -> None:
    from celery.signals import task_prerun

    def die(task_id: str, **_: Any) -> None:
        _die_once(conditions, RECEIVED, conditions.claim_trap, task_id)

    task_prerun.connect(die, weak=False)


def _die_once(conditions: Conditions, kind: str, every: int, job_id: str) -> None:
    drawn = hashlib.sha256(f"{conditions.seed}:{kind}:{job_id}".encode()).digest()
    if int.from_bytes(drawn[:8], "big") % every:
        return
    mark = conditions.folder / "traps" / f"{kind}:{job_id}"
    try:
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    os.write(descriptor, f"{os.getpid()} {time.time():.6f}".encode("ascii"))
    os.kill(os.getpid(), signal.SIGKILL)
