"""What the ledger is asked with and what it answers, as plain records."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

JobState = Literal["queued", "running", "done", "failed", "cancelled", "unknown"]
Verdict = Literal["held", "cancel", "lost"]
CLOSED_STATES: Final = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker may work on, as long as it renews the lease of ``token``."""

    job_id: str
    task: str
    payload: bytes
    digest: str
    token: int
    attempt: int
    left_s: float | None = None
    """Seconds until the deadline, at the time of the claim; None when there is none."""
    revived: bool = False
    """Whether it was given up before and sent again, so that it may have a dead letter."""

    def payload_is_intact(self) -> bool:
        """Whether the payload is the one that was enqueued."""
        return digest_of(self.payload) == self.digest


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger has of a job, but for its request."""

    state: JobState
    task: str
    queue: str
    owner: str
    attempts: int
    closed_ms: int | None
    traceback: str
    result: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a job cannot be claimed: its state, or ``missing``."""

    state: str


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that was given up, as the store should keep it."""

    job_id: str
    task: str
    queue: str
    payload: bytes
    reason: str
    error: str
    traceback: str
    attempts: int
    closed: str
    """When it was given up, in ms of the ledger's clock; tells it from a later failure."""
    versions: dict[str, str]
    """The programs that failed at it; empty when no worker said."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Under which conditions a new job is let into its queue; by default, under none."""

    max_queued: int | None = None
    """So many messages may wait in the queue."""
    rate_name: str | None = None
    """Producers of one name share one rate."""
    rate_per_s: float = 0.0
    items: int = 1
    """What the job costs of the rate: its postings, or one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a new job was not let in: the queue is full, or the rate is used up for ``wait_s``."""

    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one turn of the reconciler did."""

    expired: int
    due: int
    resent: int


def digest_of(payload: bytes) -> str:
    """Return the SHA-256 of a payload in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()
