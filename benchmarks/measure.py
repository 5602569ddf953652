"""Rows of results, and durations taken in turn: what slows the machine slows both sides."""

from __future__ import annotations

import math
import operator
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

Work = Callable[[int], object]
"""What is measured; it gets the number of its round."""

NEEDS_AMX: Final = "the goal is for a processor with AMX"
_MEETS: Final = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``goal`` reads like ``< 50`` or ``>= 3`` and is checked, or is empty."""

    name: str
    value: float
    unit: str
    goal: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        return bool(_MEETS[sign](self.value, float(bound)))

    def as_dict(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return asdict(self) | {"met": self.met}


@dataclass(frozen=True, slots=True)
class Times:
    """Durations of the same work, in milliseconds, ascending."""

    ordered_ms: tuple[float, ...]

    @classmethod
    def of(cls, taken_s: Iterable[float]) -> Times:
        """Return durations given in seconds."""
        return cls(tuple(sorted(1e3 * each for each in taken_s)))

    @classmethod
    def joined(cls, parts: Iterable[Times]) -> Times:
        """Return the durations of all parts."""
        return cls(tuple(sorted(each for part in parts for each in part.ordered_ms)))

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.ordered_ms)

    @property
    def p95(self) -> float:
        """The least duration that 95 % do not exceed."""
        return self.ordered_ms[math.ceil(0.95 * len(self.ordered_ms)) - 1]

    def rows(self, name: str, goal: str = "", note: str = "") -> list[Row]:
        """Return median and 95th percentile; the goal is the median's."""
        return [
            Row(f"{name}, p50", self.p50, "ms", goal, note),
            Row(f"{name}, p95", self.p95, "ms"),
        ]

    def rates(self, name: str, items: int, unit: str) -> list[Row]:
        """Return rates by median and 95th percentile of work on ``items`` a round."""
        return [
            Row(f"{name}, p50", 1e3 * items / self.p50, unit),
            Row(f"{name}, p95", 1e3 * items / self.p95, unit),
        ]


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def timed(work: Work, rounds: int) -> Times:
    """Return how long ``work`` takes in each round."""
    return Times.of(seconds(partial(work, number)) for number in range(rounds))


def in_turn(rounds: int, *sides: Work, warm_up: bool = False) -> Iterator[Times]:
    """Yield how long each side takes in each round, all sides of a round one after the other.

    With ``warm_up`` there is one round before, -1, that does not count.
    """
    taken: list[list[float]] = [[] for _ in sides]
    for number in range(-1 if warm_up else 0, rounds):
        for times, work in zip(taken, sides, strict=True):
            times.append(seconds(partial(work, number)))
    return (Times.of(times[warm_up:]) for times in taken)


def times_as_fast(name: str, ours: Times, peer: Times, goal: str = "", note: str = "") -> Row:
    """Return how often our median fits into the peer's."""
    return Row(name, peer.p50 / ours.p50, "x", goal, note)
