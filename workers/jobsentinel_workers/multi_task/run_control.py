"""What a training run tells the outside, and how the outside stops it."""

from __future__ import annotations

from collections.abc import Callable

from jobsentinel.contract.errors import JobSentinelError

Progress = dict[str, float]
"""``fraction`` from 0 to 1; where they apply ``epoch``, ``epochs`` and ``loss``."""

OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], bool]


class TrainingStopped(JobSentinelError):
    """Training was asked to stop and did; train again with the same run folder to go on."""


def report_nothing(progress: Progress) -> None:
    """Take progress and do nothing with it."""


def never_stop() -> bool:
    """Return that training goes on."""
    return False


def stop_if_asked(should_stop: ShouldStop) -> None:
    """Raise TrainingStopped if ``should_stop`` says so."""
    if should_stop():
        raise TrainingStopped("training was stopped before it was done")
