"""Says now and then how far a training is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

STEPS_A_LINE: Final = 25


class StepReport:
    """Writes the mean loss of the last steps to ``log``."""

    def __init__(self, steps: int, log: Callable[[str], None]) -> None:
        self._steps = steps
        self._log = log
        self._done = 0
        self._recent: list[float] = []
        self._started = time.monotonic()

    def add(self, loss: float) -> None:
        """Take note of a step's loss."""
        self._done += 1
        self._recent.append(loss)
        if self._done % STEPS_A_LINE == 0:
            seconds = time.monotonic() - self._started
            mean = np.mean(self._recent)
            self._log(f"step {self._done}/{self._steps} loss {mean:.4f} {seconds:.0f} s")
            self._recent.clear()
