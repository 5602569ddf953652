"""Every error JobSentinel raises on purpose, in one tree.

JobSentinelError
├── InvalidInput            the caller sent something that can never work
├── ConfigurationError      a setting is missing, unsafe or contradictory
├── QueueUnavailable        Redis cannot be reached or refuses to write
├── QueueFull               the queue is at its depth limit
│   └── RateLimited         producers of this name have used their rate up
├── OutboxUnavailable       the file of the outbox cannot be read or written
│   └── OutboxFull          it is at its limit, or its disk is full
├── JobFailed               the fleet gave the job up; it is a dead letter now
├── JobCancelled            somebody cancelled the job
├── JobExpired              the job's deadline passed before it was done
├── ResultTimeout           the answer did not come in time; the job goes on
├── StoreUnavailable        the SQL store cannot be reached or has no room
├── GivenBack               this worker stops and leaves the job to another
├── LeaseLost               this worker no longer owns the job it works on
└── ModelUnavailable        a model is missing, untrained or fails its checks
    └── ModelCorrupted      a file differs from the hash in its manifest
"""

from __future__ import annotations

from pathlib import Path


class JobSentinelError(Exception):
    """Something JobSentinel knows about went wrong; the subclass says what."""


class InvalidInput(JobSentinelError, ValueError):
    """A field of the input can never be accepted; correct it and send again.

    Attributes:
        field: dotted path of the offending field, such as ``postings.3.title``.
        problem: what is wrong with the value and which limit it broke.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class ConfigurationError(JobSentinelError):
    """A setting is missing, unsafe or contradicts another; change it and start again."""


class QueueUnavailable(JobSentinelError, ConnectionError):
    """Redis cannot be reached or refuses to write; check its address and state."""


class QueueFull(JobSentinelError):
    """The queue holds as many messages as it may; wait, add workers, or raise its depth limit."""


class RateLimited(QueueFull):
    """Producers of this name have used up their rate; send again in ``retry_after_s`` seconds.

    Attributes:
        retry_after_s: seconds until the next job may pass.
    """

    def __init__(self, problem: str, retry_after_s: float) -> None:
        super().__init__(problem, retry_after_s)
        self.problem = problem
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.problem


class OutboxUnavailable(JobSentinelError):
    """The outbox's file cannot be read or written; the message names it and the reason."""


class OutboxFull(OutboxUnavailable):
    """The outbox has no room, so this job was not accepted; let Redis take some, or free space.

    Attributes:
        path: its file.
        size_bytes: how much of the file is in use.
        max_bytes: how large it may become.
        waiting: how many jobs wait in it; None when they could not be counted.
    """

    def __init__(self, path: Path, size_bytes: int, max_bytes: int, waiting: int | None) -> None:
        super().__init__(path, size_bytes, max_bytes, waiting)
        self.path = path
        self.size_bytes = size_bytes
        self.max_bytes = max_bytes
        self.waiting = waiting

    def __str__(self) -> str:
        waiting = "unknown" if self.waiting is None else f"{self.waiting:,}"
        return (
            f"the outbox {self.path} or its disk is full, and the job was not taken "
            f"({self.size_bytes:,} of {self.max_bytes:,} bytes used, jobs waiting: {waiting}). Let "
            "Redis take some (`jobsentinel outbox flush`), free disk space, or raise "
            "JOBSENTINEL_OUTBOX_MAX_BYTES"
        )


class JobFailed(JobSentinelError):
    """The fleet gave the job up; ``jobsentinel dead-letters show <id>`` has the details."""

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(job_id, reason)
        self.job_id = job_id
        self.reason = reason

    def __str__(self) -> str:
        return f"job {self.job_id} failed: {self.reason}"


class JobCancelled(JobSentinelError):
    """The job was cancelled before it finished; send it again if it is still wanted."""


class JobExpired(JobSentinelError):
    """The job's deadline passed before it was done; its answer would have come too late."""


class ResultTimeout(JobSentinelError, TimeoutError):
    """No result within the time given; the job is still in the fleet, ask again later."""


class StoreUnavailable(JobSentinelError):
    """The SQL store cannot be reached, is locked or has no room; jobs wait until it is back."""


class GivenBack(JobSentinelError):
    """This worker is stopping; the job goes back as it was, and another worker takes it up."""


class LeaseLost(JobSentinelError):
    """This worker's lease ended and another may own the job; drop the work, commit nothing."""


class ModelUnavailable(JobSentinelError):
    """A model is missing, untrained or incompatible; the message names it and the way out."""


class ModelCorrupted(ModelUnavailable):
    """A model file differs from the SHA-256 in its manifest; restore it or roll back."""
