"""What a handler is told about the job it works on, and how it reports and gives up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection

from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import (
    GivenBack,
    InvalidInput,
    JobCancelled,
    JobExpired,
    LeaseLost,
)
from jobsentinel.ledger import Claim, Ledger
from jobsentinel_workers.jobs.stopping import StopSignal

PROGRESS_INTERVAL_S = 1.0

M = TypeVar("M", bound=Message)
OnReport = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler computed, and how it goes into the store.

    ``store`` runs inside the transaction that makes the job's results final, and may return a
    result that only the transaction can know. It is not called when an earlier attempt has
    committed, so its effects happen once; ``result`` then stands. An answer that leaves nothing
    in the store has none.
    """

    result: Message
    store: Callable[[Connection], Message | None] | None = None


@dataclass(slots=True)
class JobContext:
    """One claimed job; the lease keeper sets the events, the handler looks at them."""

    claim: Claim
    ledger: Ledger
    cancel_requested: threading.Event = field(default_factory=threading.Event)
    lease_lost: threading.Event = field(default_factory=threading.Event)
    stop: StopSignal = field(default_factory=StopSignal)
    on_report: OnReport | None = None
    """Hears of every report that was published."""
    _last_report: float = 0.0
    _claimed_at: float = field(default_factory=time.monotonic)

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.claim.job_id

    def check(self) -> None:
        """Stop here if there is no use in going on; handlers call it between steps.

        Raises:
            JobCancelled: somebody asked for it.
            JobExpired: its deadline has passed.
            LeaseLost: another worker owns the job now.
            GivenBack: the process stops and cannot wait for this job.
        """
        if self.lease_lost.is_set():
            raise LeaseLost(f"job {self.job_id}: the lease of token {self.claim.token} is over")
        if self.cancel_requested.is_set():
            raise JobCancelled(f"job {self.job_id} was cancelled while it ran")
        left_s = self.claim.left_s
        if left_s is not None and time.monotonic() - self._claimed_at > left_s:
            raise JobExpired(f"job {self.job_id}: its deadline passed while it ran")
        if self.stop.is_over:
            raise GivenBack(f"job {self.job_id}: the worker stops")

    def should_stop(self) -> bool:
        """Whether `check` would raise; for loops that put something in order first."""
        try:
            self.check()
        except (JobCancelled, JobExpired, LeaseLost, GivenBack):
            return True
        return False

    def report(self, progress: dict[str, Any], *, force: bool = False) -> bool:
        """Publish ``progress``, at most once a second; return whether it was published."""
        now = time.monotonic()
        if not force and now - self._last_report < PROGRESS_INTERVAL_S:
            return False
        self._last_report = now
        published = self.ledger.report_progress(self.job_id, self.claim.token, progress)
        if published and self.on_report is not None:
            self.on_report(progress)
        return published


def expect(message: Message, kind: type[M]) -> M:
    """Return ``message`` as the ``kind`` that a handler takes.

    Raises:
        InvalidInput: it is of another kind.
    """
    if not isinstance(message, kind):
        raise InvalidInput("request", f"is a {type(message).__name__}, not a {kind.__name__}")
    return message
