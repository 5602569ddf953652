"""What a producer gets for its request: a handle on one job, or on a stream of them."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgpack

from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import JobCancelled, JobFailed, ResultTimeout
from jobsentinel.ledger import CLOSED_STATES, JobState, Ledger

R = TypeVar("R", bound=Message)
T = TypeVar("T")

_LOOK_AGAIN_S = 5.0
"""Between two looks at the ledger, should the news of a job's end have been missed."""


class JobHandle(Generic[R]):
    """One job in the fleet; it stays valid in another process, made from the same ``job_id``."""

    def __init__(
        self, ledger: Ledger, job_id: str, result_type: type[R], *, cancel_ttl_s: int
    ) -> None:
        self.job_id = job_id
        self._ledger = ledger
        self._result_type = result_type
        self._cancel_ttl_s = cancel_ttl_s

    def __repr__(self) -> str:
        return f"JobHandle({self.job_id!r})"

    def state(self) -> JobState:
        """Return queued, running, done, failed or cancelled; unknown after it was forgotten."""
        return self._ledger.state(self.job_id)

    def progress(self) -> dict[str, Any] | None:
        """Return the last report of a long run (step, total_steps, loss, eta_s), or None."""
        return self._ledger.progress(self.job_id)

    def cancel(self) -> JobState:
        """Ask that the job be dropped; return the state in which that found it."""
        return self._ledger.cancel(self.job_id, ttl_s=self._cancel_ttl_s)

    def result(self, timeout_s: float | None = None) -> R:
        """Wait for the answer.

        Raises:
            ResultTimeout: it did not come within ``timeout_s`` seconds; the job goes on.
            JobFailed: the fleet gave the job up, or forgot it.
            JobCancelled: somebody cancelled it.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        state, packed = self._ledger.outcome(self.job_id)
        if state not in CLOSED_STATES and state != "unknown":
            state, packed = self._wait(deadline)
        return self._open(state, packed)

    def _wait(self, deadline: float | None) -> tuple[JobState, bytes | None]:
        with self._ledger.watch(self.job_id) as channel:
            while True:
                state, packed = self._ledger.outcome(self.job_id)
                if state in CLOSED_STATES or state == "unknown":
                    return state, packed
                left = _LOOK_AGAIN_S if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise ResultTimeout(f"job {self.job_id} is still {state}; ask again later")
                channel.get_message(timeout=min(left, _LOOK_AGAIN_S))

    def _open(self, state: JobState, packed: bytes | None) -> R:
        if state == "cancelled":
            raise JobCancelled(f"job {self.job_id} was cancelled")
        if state == "failed":
            reason, error = self._ledger.failure(self.job_id)
            raise JobFailed(self.job_id, f"{error} ({reason})")
        if packed is None:
            raise JobFailed(self.job_id, "the fleet does not know it (any more)")
        return self._result_type.parse(msgpack.unpackb(packed))


class JobStream(Generic[R, T]):
    """Many jobs made from one iterable; iterating yields their items in the order sent.

    A list or tuple is sent whole before the stream is handed out. A generator is drawn on while
    results are read, at most ``window`` jobs ahead, so that it may be endless; `send_all` or
    `result` send what is left of it.
    """

    def __init__(
        self, jobs: Iterator[JobHandle[R]], open_items: Callable[[R], tuple[T, ...]], window: int
    ) -> None:
        self._unsent = jobs
        self._open_items = open_items
        self._window = window
        self._waiting: deque[JobHandle[R]] = deque()
        self._exhausted = False
        self.jobs: list[JobHandle[R]] = []

    def send_all(self) -> None:
        """Send everything the iterable still holds, whatever the window."""
        while self._send_one():
            pass

    def _send_one(self) -> bool:
        job = next(self._unsent, None)
        if job is None:
            self._exhausted = True
            return False
        self.jobs.append(job)
        self._waiting.append(job)
        return True

    def __iter__(self) -> Iterator[T]:
        return self.items()

    def items(self, timeout_s: float | None = None) -> Iterator[T]:
        """Yield the items of each answer as it comes, ``timeout_s`` being for each job.

        After an error it may be called again: it goes on behind a job that failed or was
        cancelled, and waits once more for one that took too long.

        Raises:
            ResultTimeout, JobFailed, JobCancelled: as `JobHandle.result`.
        """
        while True:
            while not self._exhausted and len(self._waiting) < self._window:
                self._send_one()
            if not self._waiting:
                return
            try:
                result = self._waiting[0].result(timeout_s)
            except (JobFailed, JobCancelled):
                self._waiting.popleft()
                raise
            self._waiting.popleft()
            yield from self._open_items(result)

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

    def state(self) -> JobState:
        """Return the state that says most: failed, cancelled, running, queued, else done."""
        states = {job.state() for job in self.jobs}
        order: tuple[JobState, ...] = ("failed", "cancelled", "running", "queued", "unknown")
        return next((state for state in order if state in states), "done")

    def progress(self) -> dict[str, int]:
        """Return how many jobs were sent and how many of them are closed."""
        closed = sum(job.state() in CLOSED_STATES for job in self.jobs)
        return {"sent": len(self.jobs), "closed": closed}

    def cancel(self) -> None:
        """Stop sending and ask that all unfinished jobs be dropped."""
        self._unsent, self._exhausted = iter(()), True
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
