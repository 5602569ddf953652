"""Which rows one step learns from, in an order that the seed and the epoch fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.multi_task.schedule import Schedule

Rows = npt.NDArray[np.intp]
WINDOW_STEPS: Final = 50
"""Texts are sorted by length within so many steps: enough to hardly pad, few enough to mix."""


def shuffled_steps(rows: int, schedule: Schedule, epoch: int) -> list[Rows]:
    """Return the rows of each step of an epoch, in random order."""
    order = _generator(schedule, epoch).permutation(rows)
    return _cut(order, schedule.rows_a_step)


def steps_of_like_length(
    lengths: Sequence[int], schedule: Schedule, epoch: int
) -> list[list[Rows]]:
    """Return the steps of an epoch, each as batches of rows of like length.

    Rows are shuffled, sorted by length within windows of `WINDOW_STEPS` steps, and the steps are
    shuffled again: every epoch mixes rows anew, and a batch is padded to hardly more than it holds.
    """
    generator = _generator(schedule, epoch)
    order = generator.permutation(len(lengths))
    sizes = np.asarray(lengths)
    windows = _cut(order, WINDOW_STEPS * schedule.rows_a_step)
    steps = [
        step
        for window in windows
        for step in _cut(window[np.argsort(sizes[window], kind="stable")], schedule.rows_a_step)
    ]
    return [_cut(steps[n], schedule.batch_size) for n in generator.permutation(len(steps))]


def _generator(schedule: Schedule, epoch: int) -> np.random.Generator:
    return np.random.default_rng((schedule.seed, epoch))


def _cut(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
