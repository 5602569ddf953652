"""The life of one job in a worker: claim, decode, handle, commit, close; or retry, or give up."""

from __future__ import annotations

import itertools
import logging
import platform
import random
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

import msgpack

from jobsentinel.contract import wire
from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.errors import (
    ConfigurationError,
    GivenBack,
    InvalidInput,
    JobCancelled,
    JobExpired,
    JobFailed,
    LeaseLost,
    ModelUnavailable,
    QueueUnavailable,
    StoreUnavailable,
)
from jobsentinel.ledger import Claim, Ledger, Refused
from jobsentinel.settings import Settings
from jobsentinel_workers.jobs.context import Answer, JobContext, OnReport
from jobsentinel_workers.jobs.leases import LeaseKeeper
from jobsentinel_workers.store import Database, dead_letters, results

logger = logging.getLogger(__name__)

Handler = Callable[[Message, JobContext], Answer]

# What these say will be as true at the next attempt.
NEVER_WORKS = (InvalidInput, ModelUnavailable, ConfigurationError)
MAX_BACKOFF_S = 300.0
STORE_PAUSE_S = 10.0
"""For so long at most a job is left alone when the store was away."""
CLOSE_AGAIN_S = 0.5
_CLAIMS = itertools.count()
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


class NothingToDo(Exception):
    """The message needs no work here: another worker has the job, or it is closed already."""


class NotTakenUp(Exception):
    """This worker is stopping and claimed nothing; the message belongs back into its queue."""


@dataclass(frozen=True, slots=True)
class JobRunner:
    """Runs jobs by id; one in a process, shared by its threads."""

    settings: Settings
    ledger: Ledger
    leases: LeaseKeeper
    database: Database
    handlers: Mapping[str, Handler]
    owner: str

    def run(self, job_id: str, on_report: OnReport | None = None) -> bytes:
        """Work on a job until it is closed, and return its answer as msgpack.

        Args:
            job_id: of a job in the ledger.
            on_report: hears what a long job reports of its progress.

        Raises:
            NothingToDo: there is no work, or it was put back for another attempt.
            NotTakenUp: the process stops.
            JobFailed: the job is a dead letter now.
        """
        if self.leases.stop_signal.began:
            raise NotTakenUp(job_id)
        if not _JOB_ID.fullmatch(job_id):
            # Ids name folders and rows; Redis is not trusted to hold only those of producers.
            raise JobFailed(repr(job_id)[:80], "an id has 1 to 200 of A-Z a-z 0-9 . _ : -")
        claim = self.ledger.claim(
            job_id,
            owner=f"{self.owner}/{next(_CLAIMS)}",
            lease_s=self.settings.lease_s,
            max_attempts=self.settings.max_attempts,
        )
        if isinstance(claim, Refused):
            return self._refused(job_id, claim.state)
        with self.leases.hold(claim) as context:
            context.on_report = on_report
            return self._guarded(context)

    def _refused(self, job_id: str, state: str) -> bytes:
        if state == "missing":
            raise JobFailed(job_id, "the message names a job that the ledger does not know")
        if state == "failed":
            raise JobFailed(job_id, ": ".join(self.ledger.failure(job_id)))
        logger.info("job.duplicate_message job_id=%s state=%s", job_id, state)
        raise NothingToDo(state)

    def _guarded(self, context: JobContext) -> bytes:
        claim = context.claim
        try:
            return self._work(context)
        except LeaseLost as error:
            logger.warning("job.lease_lost job_id=%s %s", claim.job_id, error)
            raise NothingToDo("lease lost") from None
        except JobCancelled:
            self.ledger.mark_cancelled(claim.job_id, claim.token, ttl_s=self.settings.result_ttl_s)
            raise NothingToDo("cancelled") from None
        except QueueUnavailable as error:
            # The ledger cannot be told; the lease runs out there and the job is put back.
            logger.warning("job.redis_away job_id=%s %s", claim.job_id, error)
            raise NothingToDo("Redis away") from None
        except (GivenBack, StoreUnavailable) as error:
            self._give_back(claim, error)
            raise NothingToDo("given back") from None
        except (*NEVER_WORKS, JobExpired) as error:
            self._give_up(claim, error)
            raise JobFailed(claim.job_id, str(error)) from error
        except Exception as error:  # the edge of a job: whatever broke, the fleet goes on
            return self._try_again(claim, error)
        except BaseException:  # the process is told to stop: somebody else may begin at once
            self.ledger.release(claim.job_id, claim.token)
            logger.info("job.given_back job_id=%s", claim.job_id)
            raise

    def _give_back(self, claim: Claim, error: GivenBack | StoreUnavailable) -> None:
        """It was not the job's fault, so the attempt does not count."""
        delay_s = STORE_PAUSE_S * random.uniform(0.5, 1.0)
        if isinstance(error, GivenBack):
            delay_s = 0.0
        self.ledger.release(claim.job_id, claim.token, delay_s=delay_s)
        logger.warning("job.given_back job_id=%s again_in_s=%.1f %s", claim.job_id, delay_s, error)

    def _give_up(self, claim: Claim, error: Exception) -> None:
        self.ledger.fail(
            claim.job_id,
            claim.token,
            reason="expired" if isinstance(error, JobExpired) else "invalid",
            error=str(error),
            versions=running_versions(),
        )
        logger.warning("job.failed job_id=%s %s: %s", claim.job_id, type(error).__name__, error)

    def _work(self, context: JobContext) -> bytes:
        claim = context.claim
        if not claim.payload_is_intact():
            raise InvalidInput("payload", "does not match the digest it was enqueued with")
        task, request = wire.decode_request(claim.payload)
        if task.name != claim.task or task.name not in self.handlers:
            raise InvalidInput("task", f"is {claim.task!r}, which this worker does not do")
        answer = self.handlers[task.name](request, context)
        context.check()
        packed: bytes = msgpack.packb(dump(self._commit(claim, answer)), use_bin_type=True)
        self._close(context, packed)
        return packed

    def _commit(self, claim: Claim, answer: Answer) -> Message:
        if answer.store is None and not claim.revived:
            return answer.result
        with self.database.begin() as connection:
            # One that was given up before and sent again is no dead letter any more.
            dead_letters.delete(connection, claim.job_id)
            first = results.commit_job(connection, claim.job_id, claim.token)
            if first and answer.store is not None:
                return answer.store(connection) or answer.result
        return answer.result

    def _close(self, context: JobContext, packed: bytes) -> None:
        """Tell the ledger; what is committed is worth waiting for Redis as long as the lease."""
        claim, ttl_s = context.claim, self.settings.result_ttl_s
        while True:
            try:
                if self.ledger.complete(claim.job_id, claim.token, ttl_s=ttl_s, result=packed):
                    return
                raise LeaseLost(f"job {claim.job_id} was taken over while it was closed")
            except QueueUnavailable:
                if context.lease_lost.wait(CLOSE_AGAIN_S):
                    raise

    def _try_again(self, claim: Claim, error: Exception) -> bytes:
        summary = f"{type(error).__name__}: {error}"
        outcome = self.ledger.retry(
            claim.job_id,
            claim.token,
            delay_s=backoff_s(self.settings.retry_base_s, claim.attempt),
            max_attempts=self.settings.max_attempts,
            error=summary,
            traceback="".join(traceback.format_exception(error)),
            versions=running_versions(),
        )
        logger.warning(
            "job.attempt_failed job_id=%s attempt=%d then=%s",
            claim.job_id,
            claim.attempt,
            outcome,
            exc_info=error,
        )
        if outcome == "failed":
            raise JobFailed(claim.job_id, summary) from error
        raise NothingToDo("to be tried again") from None


@cache
def running_versions() -> dict[str, str]:
    """Return the versions that a dead letter names."""
    packages = ("jobsentinel-ml", "celery", "torch", "transformers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def backoff_s(base_s: float, attempt: int) -> float:
    """Return the pause before the next attempt: doubled each time, with full jitter.

    Jitter after Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015: half of
    the pause is kept, so that a retry never comes at once.
    """
    pause = min(MAX_BACKOFF_S, base_s * 2.0 ** (attempt - 1))
    return float(pause * random.uniform(0.5, 1.0))
