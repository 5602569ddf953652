"""Every error JobSentinel raises on purpose, in one tree.

JobSentinelError
├── InvalidInput            the caller sent something that can never work
├── ConfigurationError      a setting is missing, unsafe or contradictory
├── QueueUnavailable        Redis cannot be reached or refuses to write
├── QueueFull               the queue is at its depth limit
├── JobFailed               the fleet gave the job up; it is a dead letter now
├── JobCancelled            somebody cancelled the job
├── JobExpired              the job's deadline passed before it was done
├── ResultTimeout           the answer did not come in time; the job goes on
├── LeaseLost               this worker no longer owns the job it works on
└── ModelUnavailable        a model is missing, untrained or fails its checks
    └── ModelCorrupted      a file differs from the hash in its manifest
"""

from __future__ import annotations


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
    """The queue holds as many jobs as it may; wait, or raise its depth limit."""


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


class LeaseLost(JobSentinelError):
    """This worker's lease ended and another may own the job; drop the work, commit nothing."""


class ModelUnavailable(JobSentinelError):
    """A model is missing, untrained or incompatible; the message names it and the way out."""


class ModelCorrupted(ModelUnavailable):
    """A model file differs from the SHA-256 in its manifest; restore it or roll back."""
