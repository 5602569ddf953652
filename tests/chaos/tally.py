"""Counts what became of a run's jobs, from the log of computings and the rows of the store.

Recovery is measured in seconds:

- for a fault of a worker (killed, stopped, frozen): from the fault to the storing of each job that
  the worker had begun to compute, or had just taken, and that was not stored yet; one value a job;
- for a fault of the server or the disk: from its end to the next storing; one value a fault.
"""

from __future__ import annotations

import bisect
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .computations import Computation
from .effects import Effect
from .faults import Fault

EVIDENCE = 10
"""So many ids of lost jobs and of those stored twice are kept to be looked into."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One side's figures for one scenario."""

    scenario: str
    side: str
    sent: int
    stored: int
    dead: int
    lost: int
    stored_twice: int
    computed_twice: int
    faults: int
    crashed: int
    refused: int
    recovery_p50_s: float | None
    recovery_max_s: float | None
    seconds: float
    lost_ids: tuple[str, ...] = ()
    twice_ids: tuple[str, ...] = ()

    def is_sound(self) -> bool:
        """Return whether nothing was lost and nothing stored twice."""
        return not self.lost and not self.stored_twice

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run left behind."""

    sent: Sequence[str]
    stored: set[str]
    given_up: set[str]
    effects: Sequence[Effect]
    computations: Sequence[Computation]
    faults: Sequence[Fault]
    crashed: int
    """Workers that ended by themselves."""
    refused: int
    """Sendings that were not accepted, and were repeated."""


def count(scenario: str, side: str, seconds: float, found: Evidence) -> Tally:
    """Return the figures of a run."""
    sent = set(found.sent)
    rows = Counter(effect.job_id for effect in found.effects)
    # A result without its effect, or the other way round, is half a storing: not stored.
    stored = found.stored & set(rows)
    lost = sorted(sent - stored - found.given_up)
    twice = sorted(job for job, times in rows.items() if times > 1)
    computed = Counter(computation.job_id for computation in found.computations)
    recoveries = recovery_seconds(found.faults, found.computations, found.effects)
    return Tally(
        scenario=scenario,
        side=side,
        sent=len(sent),
        stored=len(stored & sent),
        dead=len(found.given_up & sent),
        lost=len(lost),
        stored_twice=len(twice),
        computed_twice=sum(times > 1 for times in computed.values()),
        faults=len(found.faults),
        crashed=found.crashed,
        refused=found.refused,
        recovery_p50_s=statistics.median(recoveries) if recoveries else None,
        recovery_max_s=max(recoveries, default=None),
        seconds=seconds,
        lost_ids=tuple(lost[:EVIDENCE]),
        twice_ids=tuple(twice[:EVIDENCE]),
    )


def recovery_seconds(
    faults: Iterable[Fault], computations: Sequence[Computation], effects: Sequence[Effect]
) -> list[float]:
    """Return the values described above, in the order of the faults."""
    first: dict[str, float] = {}
    for effect in effects:
        first.setdefault(effect.job_id, effect.at)
    times = sorted(effect.at for effect in effects)
    begun: dict[int, list[Computation]] = {}
    for computation in computations:
        begun.setdefault(computation.pid, []).append(computation)
    values: list[float] = []
    for fault in faults:
        if fault.pid is None:
            values += _next_storing(times, fault.ended)
        else:
            values += _in_hand(fault, begun.get(fault.pid, []), first)
    return values


def _next_storing(times: Sequence[float], after: float) -> list[float]:
    place = bisect.bisect_right(times, after)
    return [times[place] - after] if place < len(times) else []


def _in_hand(fault: Fault, begun: Sequence[Computation], first: dict[str, float]) -> list[float]:
    jobs = {computation.job_id for computation in begun if computation.at <= fault.began}
    if fault.job_id is not None:
        jobs.add(fault.job_id)
    # A job never stored is lost, which has a column of its own.
    stored = (first[job] for job in sorted(jobs) if job in first)
    return [at - fault.began for at in stored if at > fault.began]
