"""A ledger without Redis and without workers: a job is answered as it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from jobsentinel.contract import wire
from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.ledger import JobState
from jobsentinel.memory_answers import Answers


@dataclass
class _Job:
    state: JobState
    result: bytes | None = None
    error: tuple[str, str] = ("", "")


class MemoryLedger:
    """What `Producer` and its handles ask of `jobsentinel.ledger.Ledger`, answered in memory.

    Requests and answers go through the wire's encoding both ways, so what the contract refuses is
    refused here too. An answer that raises fails its job, as in a worker.
    """

    prefix = "memory:"

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self.worked_on: list[tuple[str, str, Message, Message]] = []
        """Job id, task, request and answer of each job that was answered."""

    def enqueue(self, job_id: str, *, payload: bytes, **_: Any) -> str:
        """Answer a job, unless it was answered before."""
        with self._lock:
            before = self._jobs.get(job_id)
            if before is not None and before.state == "done":
                return "done"
            self._jobs[job_id] = self._done(job_id, payload)
            return before.state if before else "new"

    def _done(self, job_id: str, payload: bytes) -> _Job:
        task, request = wire.decode_request(payload)
        answer = self._answers.get(task.name)
        if answer is None:
            return _Job("failed", error=("invalid", f"nothing answers the task {task.name!r} here"))
        try:
            given = task.result.parse(answer(request))
        except InvalidInput as error:
            return _Job("failed", error=("invalid", str(error)))
        except Exception as error:  # a worker's edge: whatever an answer raises fails its job
            return _Job("failed", error=("error", f"{type(error).__name__}: {error}"))
        self.worked_on.append((job_id, task.name, request, given))
        return _Job("done", msgpack.packb(dump(given)))

    def models_generation(self) -> str:
        """Return the same text each time."""
        return ""

    def state(self, job_id: str) -> JobState:
        """Return done or failed; unknown where it was never sent."""
        job = self._jobs.get(job_id)
        return "unknown" if job is None else job.state

    def outcome(self, job_id: str) -> tuple[JobState, bytes | None]:
        """Return a job's state and packed answer."""
        job = self._jobs.get(job_id)
        return ("unknown", None) if job is None else (job.state, job.result)

    def failure(self, job_id: str) -> tuple[str, str]:
        """Return kind and text of a failed job's error."""
        return self._jobs[job_id].error

    def cancel(self, job_id: str, *, ttl_s: int) -> JobState:
        """Change nothing: every job is over when it was sent."""
        del ttl_s
        return self.state(job_id)

    def progress(self, job_id: str) -> Mapping[str, Any] | None:
        """Return None: no job is under way."""
        del job_id
        return None

    def depths(self, queues: Sequence[str]) -> dict[str, int]:
        """Return nought for each queue: nothing waits."""
        return dict.fromkeys([*queues, "running", "delayed", "dead"], 0)

    @contextmanager
    def watch(self, job_id: str) -> Iterator[NoReturn]:
        """Refuse: no job is ever waited for."""
        raise AssertionError(f"job {job_id} is waited for")
        yield
