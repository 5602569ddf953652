"""A stream of jobs made from one iterable, sent as its answers are read."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import JobCancelled, JobFailed, QueueFull
from jobsentinel.handles import HandleState, JobHandle
from jobsentinel.ledger import CLOSED_STATES
from jobsentinel.new_jobs import NewJob

R = TypeVar("R", bound=Message)
T = TypeVar("T")

_TELLING_MOST: Final[tuple[HandleState, ...]] = (
    "failed",
    "cancelled",
    "running",
    "queued",
    "outbox",
    "unknown",
)


class JobStream(Generic[R, T]):
    """Many jobs made from one iterable; iterating yields their items in the order sent.

    A list or tuple is sent whole before the stream is handed out. A generator is drawn on while
    results are read, at most ``window`` jobs ahead, so that it may be endless; `send_all` or
    `result` send what is left of it.
    """

    def __init__(
        self,
        jobs: Iterator[NewJob],
        send: Callable[[NewJob], JobHandle[R]],
        open_items: Callable[[R], tuple[T, ...]],
        window: int,
    ) -> None:
        self._unsent = jobs
        self._refused: NewJob | None = None
        self._send = send
        self._open_items = open_items
        self._window = window
        self._waiting: deque[JobHandle[R]] = deque()
        self._exhausted = False
        self.jobs: list[JobHandle[R]] = []

    def send_all(self) -> None:
        """Send everything the iterable still holds, whatever the window.

        After `QueueFull` and the like it may be called again, and goes on where it was.
        """
        for _ in self.sending():
            pass

    def sending(self) -> Iterator[JobHandle[R]]:
        """As `send_all`, yielding each job once it was sent."""
        while self._send_one():
            yield self.jobs[-1]

    def _send_one(self) -> bool:
        job = self._refused or next(self._unsent, None)
        if job is None:
            self._exhausted = True
            return False
        self._refused = job  # should sending it raise, the next call goes on with it
        handle = self._send(job)
        self._refused = None
        self.jobs.append(handle)
        self._waiting.append(handle)
        return True

    def __iter__(self) -> Iterator[T]:
        return self.items()

    def items(self, timeout_s: float | None = None) -> Iterator[T]:
        """Yield the items of each answer as it comes, ``timeout_s`` being for each job.

        After an error it may be called again: it goes on behind a job that failed or was
        cancelled, waits once more for one that took too long, and sends what could not be sent.

        Raises:
            ResultTimeout, QueueUnavailable, JobFailed, JobCancelled: as `JobHandle.result`.
            QueueFull: the next job was not let in, and none before it is still to be read.
        """
        while True:
            self._send_ahead()
            if not self._waiting:
                return
            try:
                result = self._waiting[0].result(timeout_s)
            except (JobFailed, JobCancelled):
                self._waiting.popleft()
                raise
            self._waiting.popleft()
            yield from self._open_items(result)

    def _send_ahead(self) -> None:
        try:
            while not self._exhausted and len(self._waiting) < self._window:
                self._send_one()
        except QueueFull:
            # Answers that are on their way come first: reading them makes room.
            if not self._waiting:
                raise

    def result(self, timeout_s: float | None = None) -> list[T]:
        """Send the rest and return the items not yet read, ``timeout_s`` being for all.

        Raises:
            ResultTimeout, JobFailed, JobCancelled: as `JobHandle.result`.
        """
        self.send_all()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        items: list[T] = []
        for job in self._waiting:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            items.extend(self._open_items(job.result(left)))
        self._waiting.clear()
        return items

    def state(self) -> HandleState:
        """Return the state that says most: failed, cancelled, running, queued, else done."""
        states = {job.state() for job in self.jobs}
        return next((state for state in _TELLING_MOST if state in states), "done")

    def progress(self) -> dict[str, int]:
        """Return how many jobs were sent and how many of them are closed."""
        closed = sum(job.state() in CLOSED_STATES for job in self.jobs)
        return {"sent": len(self.jobs), "closed": closed}

    def cancel(self) -> None:
        """Stop sending and ask that all unfinished jobs be dropped."""
        self._unsent, self._refused, self._exhausted = iter(()), None, True
        for job in self._waiting:
            job.cancel()

    def __del__(self) -> None:
        if not getattr(self, "_exhausted", True):
            warnings.warn(
                "a JobStream was dropped before its iterable was sent whole; "
                "read it to its end, or call send_all()",
                ResourceWarning,
                stacklevel=2,
            )
