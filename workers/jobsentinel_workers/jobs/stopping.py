"""What a process knows about its own end: that it was told to stop, and how long it may finish.

Jobs look at it as they look at a cancellation. Those that are not done in time go back to the
ledger, where another worker takes them up at once.
"""

from __future__ import annotations

import threading
import time


class StopSignal:
    """Given once to a process; safe to give from a signal handler, which may take no lock."""

    def __init__(self) -> None:
        self._began = threading.Event()
        self._give_back_at = float("inf")

    def begin(self, finish_within_s: float) -> None:
        """Take up no more jobs, and give back those that are not done within the time.

        A second call changes nothing.
        """
        if not self._began.is_set():
            self._give_back_at = time.monotonic() + finish_within_s
            self._began.set()

    @property
    def began(self) -> bool:
        """Whether the process was told to stop."""
        return self._began.is_set()

    @property
    def is_over(self) -> bool:
        """Whether what is still in hand must go back."""
        return time.monotonic() >= self._give_back_at
