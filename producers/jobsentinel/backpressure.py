"""Backpressure: what a queue lets in, and what a producer does with a job that is refused."""

from __future__ import annotations

from typing import Final

from jobsentinel.contract.errors import QueueFull, RateLimited
from jobsentinel.contract.tasks import BULK, INTERACTIVE, TRAINING
from jobsentinel.ledger import Admission, Ledger, Refusal
from jobsentinel.new_jobs import NewJob
from jobsentinel.settings import Settings

_LIMITS: Final = {
    INTERACTIVE: "max_queued_interactive",
    BULK: "max_queued_bulk",
    TRAINING: "max_queued_training",
}
"""The setting of each queue's depth limit."""


class Gate:
    """The way into the queues, under the limits of these settings."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings

    def offer(self, job: NewJob) -> Refusal | None:
        """Send a job; return why it was not let in, if it was not.

        Sending it twice is sending it once.

        Raises:
            QueueUnavailable: Redis cannot be reached, and may or may not have the job.
        """
        answer = self._ledger.enqueue(
            job.job_id,
            task=job.task,
            queue=job.queue,
            payload=job.payload,
            message=job.message,
            within_s=job.left_s(),
            submission=job.submission,
            admission=self._admission(job),
        )
        return answer if isinstance(answer, Refusal) else None

    def _admission(self, job: NewJob) -> Admission:
        rate_per_s = self._settings.rate_limit_per_s
        return Admission(
            max_queued=getattr(self._settings, _LIMITS[job.queue]),
            rate_name=None if rate_per_s is None else self._settings.producer_name,
            rate_per_s=rate_per_s or 0.0,
            items=job.items,
        )

    def refused(self, queue: str, refusal: Refusal) -> QueueFull:
        """Return the error for a job that was not let in; it says what to do."""
        setting = _LIMITS[queue]
        ways = (
            'start more workers, or let producers wait (when_full="block") or keep jobs on disk '
            '(when_full="outbox")'
        )
        if refusal.wait_s is not None:
            return RateLimited(
                f"the producers named {self._settings.producer_name!r} have used up their "
                f"{self._settings.rate_limit_per_s:g} items a second; send again in "
                f"{refusal.wait_s:.3g} s, or raise JOBSENTINEL_RATE_LIMIT_PER_S",
                refusal.wait_s,
            )
        return QueueFull(
            f"{getattr(self._settings, setting):,} messages wait in {queue}, which is its limit: "
            f"{ways}, or raise JOBSENTINEL_{setting.upper()}"
        )


class GrowingPause:
    """How long to wait before the next attempt: twice as long each time, up to ``cap_s``."""

    def __init__(self, cap_s: float, first_s: float = 0.01) -> None:
        self._cap_s = cap_s
        self._first_s = self._next_s = first_s

    def next_s(self) -> float:
        """Return the next pause."""
        pause_s, self._next_s = self._next_s, min(self._cap_s, 2 * self._next_s)
        return pause_s

    def reset(self) -> None:
        """Begin with a short pause again."""
        self._next_s = self._first_s
