"""Rows of results, and medians of interleaved runs: what slows the machine slows both sides."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``goal`` reads like ``< 50`` or ``>= 3`` and is checked, or is empty."""

    name: str
    value: float
    unit: str
    goal: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        return self.value < float(bound) if sign == "<" else self.value >= float(bound)

    def as_dict(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return asdict(self) | {"met": self.met}


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median_ms(work: Callable[[], object], runs: int, warm_up: int = 2) -> float:
    """Return the median of ``runs`` runs in milliseconds, after ``warm_up`` unmeasured ones."""
    for _ in range(warm_up):
        work()
    return 1e3 * statistics.median(seconds(work) for _ in range(runs))


def interleaved_ms(
    ours: Callable[[int], object], peer: Callable[[int], object], rounds: int
) -> tuple[float, float]:
    """Return the medians of both sides over rounds in turn; each gets the round's number."""
    mine: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        mine.append(seconds(lambda n=number: ours(n)))  # type: ignore[misc]  # a default binds the loop's value
        theirs.append(seconds(lambda n=number: peer(n)))  # type: ignore[misc]  # likewise
    return 1e3 * statistics.median(mine), 1e3 * statistics.median(theirs)
