"""What a process knows about its own end: that it was told to stop, and how long it may finish.

Jobs look at it as they look at a cancellation. Those that are not done in time go back to the
ledger, where another worker takes them up at once.
"""

from __future__ import annotations

import time


class StopSignal:
    """Given once to a process; a single assignment, since a signal handler may take no lock."""

    def __init__(self) -> None:
        self._give_back_at: float | None = None

    def begin(self, finish_within_s: float) -> None:
        """Take up no more jobs, and give back those that are not done within the time.

        A second call changes nothing.
        """
        if self._give_back_at is None:
            self._give_back_at = time.monotonic() + finish_within_s

    @property
    def began(self) -> bool:
        """Whether the process was told to stop."""
        return self._give_back_at is not None

    @property
    def is_over(self) -> bool:
        """Whether what is still in hand must go back."""
        return self._give_back_at is not None and time.monotonic() >= self._give_back_at
