"""What a run tells while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Phase: TypeAlias = Literal["embedding", "adapting", "contrasting", "training"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        phase: ``embedding`` counts texts; the others optimiser steps: ``adapting`` over unlabelled
            texts, ``contrasting`` over pairs of rows, ``training`` for the task.
        step, total_steps: done and at most to do; early stopping may end sooner.
        epoch: from 1; 0 while embedding.
        loss: of the last batch; None while embedding.
        eta_s: seconds to ``total_steps`` at the pace so far.
    """

    phase: Phase
    step: int
    total_steps: int
    epoch: int
    loss: float | None
    eta_s: float


OnProgress: TypeAlias = Callable[[Progress], None]
"""Called at every step of training; a slow one should skip most of its calls."""

ShouldStop: TypeAlias = Callable[[], bool]


class Pace:
    """Seconds left at the pace since the first step of this process."""

    def __init__(self, first_step: int) -> None:
        self._first_step = first_step
        self._started = time.monotonic()

    def eta_s(self, step: int, total_steps: int) -> float:
        """Return the seconds from ``step`` to ``total_steps``."""
        done = max(1, step - self._first_step)
        return (time.monotonic() - self._started) / done * max(0, total_steps - step)
