"""From a request to the handle of its job: what all calls of a producer share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from jobsentinel.contract.base import Message
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.tasks import INTERACTIVE, TASKS
from jobsentinel.deduplication import Deduplicator
from jobsentinel.handles import JobHandle
from jobsentinel.intake import Chunk, OnInvalid, PostingLike, check_stream, checked_postings, chunks
from jobsentinel.job_ids import ALWAYS_NEW
from jobsentinel.ledger import Ledger
from jobsentinel.new_jobs import NewJob, make_job
from jobsentinel.sending import Sender
from jobsentinel.settings import Settings
from jobsentinel.sources.tables import is_frame
from jobsentinel.streams import JobStream

R = TypeVar("R", bound=Message)

_WINDOW = 64
"""Jobs of a stream that are on their way at once."""


class Dispatch:
    """Makes jobs of requests and sends them; safe to share between threads.

    Raises:
        QueueFull, QueueUnavailable, OutboxFull: from what sends, as `Sender.send`.
    """

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._ttl_s = settings.result_ttl_s
        self._sender = Sender(ledger, settings)

    def close(self) -> None:
        """Try once more to send what waits in the outbox."""
        self._sender.close()

    def handle(self, job_id: str, result_type: type[R]) -> JobHandle[R]:
        """Return the handle of a job that was sent, now or earlier."""
        outbox = self._sender.outbox
        return JobHandle(self._ledger, job_id, result_type, outbox=outbox, cancel_ttl_s=self._ttl_s)

    def send(
        self,
        name: str,
        request: Message,
        result_type: type[R],
        *,
        key: str | None = None,
        deadline_s: float | None = None,
    ) -> JobHandle[R]:
        """Send one request of the task ``name``; ``key`` names the job in its content's place."""
        generation = self._sender.models_generation
        job = make_job(name, request, generation=generation, key=key, deadline_s=deadline_s)
        self._sender.send(job)
        return self.handle(job.job_id, result_type)

    def stream(
        self,
        name: str,
        postings: Iterable[PostingLike],
        make_request: Callable[[Chunk], Message],
        open_items: Callable[[Any], tuple[Any, ...]],
        *,
        queue: str | None,
        size: int,
        on_invalid: OnInvalid | None,
        deadline_s: float | None,
        deduplicator: Deduplicator | None = None,
    ) -> JobStream[Any, Any]:
        """Send postings in chunks of ``size``: a list now, a generator while answers are read.

        Args:
            name: of the task.
            make_request: from a chunk.
            open_items: from an answer, what the stream yields.
            postings, queue, on_invalid, deadline_s: as `Producer.score`.
            deduplicator: what tells copies; None takes all as they are.
        """
        check_stream(postings, size)
        whole = isinstance(postings, Sequence) or is_frame(postings)
        checked: Iterable[Posting] = checked_postings(postings, on_invalid)
        if whole:
            checked = list(checked)  # all of a list is checked before any of it is sent
            queue = queue or (INTERACTIVE if len(checked) == 1 else None)
        requests = map(make_request, chunks(checked, size, deduplicator))
        jobs = self._jobs(name, requests, queue, deadline_s)
        stream: JobStream[Any, Any] = JobStream(jobs, self._send_job, open_items, window=_WINDOW)
        if whole:
            stream.send_all()
        return stream

    def _jobs(
        self, name: str, requests: Iterable[Message], queue: str | None, deadline_s: float | None
    ) -> Iterator[NewJob]:
        # Asked once, so that all chunks agree, and before any, for it may raise.
        models = "" if name in ALWAYS_NEW else self._sender.models_generation()
        return (
            make_job(name, request, generation=lambda: models, queue=queue, deadline_s=deadline_s)
            for request in requests
        )

    def _send_job(self, job: NewJob) -> JobHandle[Any]:
        self._sender.send(job)
        return self.handle(job.job_id, TASKS[job.task].result)
