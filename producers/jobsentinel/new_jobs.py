"""Jobs before they are sent: what a request becomes on its way into a queue."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jobsentinel.contract import requests, wire
from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.removals import RemovePostingsRequest
from jobsentinel.contract.tasks import QUEUES, TASKS
from jobsentinel.envelope import task_message
from jobsentinel.job_ids import ALWAYS_NEW, job_id_for

MAX_DEADLINE_S: Final = 30 * 24 * 3600
_LEAST_LEFT_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class NewJob:
    """All that the ledger is told about a job, ready to be sent now or later."""

    job_id: str
    task: str
    queue: str
    payload: bytes
    message: str
    submission: str
    """Names this sending: however often it is repeated, the ledger takes it once."""
    created: float
    """Seconds since 1970 by this machine's clock, which outlives the process."""
    within_s: float | None
    items: int
    """What the job costs of a rate: its postings, or one."""

    def left_s(self) -> float | None:
        """Return the seconds until its deadline: the least there is, once that has passed."""
        if self.within_s is None:
            return None
        age_s = max(0.0, time.time() - self.created)  # a clock that was set back prolongs nothing
        return max(_LEAST_LEFT_S, self.within_s - age_s)


def make_job(
    name: str,
    request: Message,
    *,
    generation: Callable[[], str],
    queue: str | None = None,
    key: str | None = None,
    deadline_s: float | None = None,
) -> NewJob:
    """Return the job of a request; ``generation`` is asked only where the job's id needs it.

    Raises:
        InvalidInput: the key, the queue or the deadline is none.
    """
    task = TASKS[name]
    queue = queue or task.queue
    if queue not in QUEUES:
        raise InvalidInput("queue", f"is {queue!r}, not one of {', '.join(QUEUES)}")
    payload = wire.encode_request(task, request)
    always_new = name in ALWAYS_NEW or _reads_the_store(request)
    models = "" if always_new or key is not None else generation()
    job_id = job_id_for(name, key, payload, models, always_new=always_new)
    return NewJob(
        job_id=job_id,
        task=name,
        queue=queue,
        payload=payload,
        message=task_message(task, job_id, queue, _summary(request)),
        submission=uuid.uuid4().hex,
        created=time.time(),
        within_s=_checked_deadline(deadline_s),
        items=len(getattr(request, "postings", (None,))),
    )


def _reads_the_store(request: Message) -> bool:
    """Return whether it asks for stored labels or postings, which may be others next time."""
    return any(getattr(request, name, ()) is None for name in ("rows", "candidates"))


def _summary(request: Message) -> str:
    for field in ("postings", "candidates", "samples", "labels", "rows", "ids"):
        items = getattr(request, field, None)
        if items is not None:
            return f"{len(items)} {field}"
    if isinstance(request, RemovePostingsRequest):
        return "postings by their age"
    return "indexed postings" if isinstance(request, requests.RerankRequest) else "stored labels"


def _checked_deadline(deadline_s: float | None) -> float | None:
    if deadline_s is not None and not 0.001 <= deadline_s <= MAX_DEADLINE_S:
        raise InvalidInput("deadline_s", f"is {deadline_s}; it must be 0.001 to {MAX_DEADLINE_S:,}")
    return deadline_s
