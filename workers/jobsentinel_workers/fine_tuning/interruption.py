"""How training ends before its time."""

from __future__ import annotations

from pathlib import Path

from jobsentinel.contract.errors import JobSentinelError


class TrainingInterrupted(JobSentinelError):
    """Training was asked to stop; call ``train`` again with the same run directory to go on.

    Attributes:
        step: optimiser steps done.
        checkpoint: the folder to go on from; None where there is no run directory, or nothing
            was trained yet.
    """

    def __init__(self, step: int, checkpoint: Path | None) -> None:
        super().__init__(step, checkpoint)
        self.step = step
        self.checkpoint = checkpoint

    def __str__(self) -> str:
        kept = f"kept in {self.checkpoint}" if self.checkpoint else "nothing was kept"
        return f"training stopped after {self.step} steps; {kept}"
