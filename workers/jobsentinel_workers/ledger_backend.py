"""Celery's result backend, read from the ledger: what `AsyncResult` and Flower's API show.

The ledger's entry holds a job's state and answer already; a second copy would cost a worker a
quarter of its time with small jobs, and could disagree with the first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgpack
from celery import states
from celery.backends.base import BaseBackend

from jobsentinel.contract.errors import JobFailed, QueueUnavailable
from jobsentinel.contract.limits import MAX_ID_CHARS
from jobsentinel.contract.tasks import TASKS
from jobsentinel.ledger import Ledger, connect

_STATES: Final = {
    "queued": states.PENDING,
    "running": states.STARTED,
    "done": states.SUCCESS,
    "failed": states.FAILURE,
    "cancelled": states.REVOKED,
    "unknown": states.PENDING,
}
PROGRESS: Final = "PROGRESS"
"""A running job that has reported how far it is; its last report stands in the result's place."""


class LedgerBackend(BaseBackend):  # type: ignore[misc]  # Celery ships no types
    """Answers from the ledger, and stores nothing: closing a job there has stored its answer.

    Only the failure of a message that is no job of the ledger's is noted there, for whoever sent
    it by Celery's own means and waits.

    Raises:
        QueueUnavailable: while Redis is away, once Celery has tried for a while.
    """

    subpolling_interval = 0.1
    persistent = True
    supports_autoexpire = True

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        settings = app.settings
        self._ttl_s = settings.result_ttl_s
        self._ledger = Ledger(connect(settings.resolve_redis_url()), settings.namespace)

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **_: Any,
    ) -> Any:
        """Leave everything as it is, but for the failure of what the ledger does not know."""
        # A producer's message is named for its job. If the ledger has lost that job, the producer
        # may have kept it and send it again, so it must not be noted as failed.
        by_a_producer = request is not None and list(request.args or ())[:1] == [task_id]
        if state == states.FAILURE and not by_a_producer and len(task_id) <= MAX_ID_CHARS:
            self._ledger.refuse(task_id, error=str(result), ttl_s=self._ttl_s)
        return result

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Whether asking again may help."""
        return isinstance(exc, QueueUnavailable)

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        found = self._ledger.entry(task_id)
        state = _STATES[found.state]
        result = self._result(task_id, state, found.result)
        if state == states.STARTED:
            result = self._ledger.progress(task_id)
            state = state if result is None else PROGRESS
        return {
            "task_id": task_id,
            "status": state,
            "result": result,
            "traceback": found.traceback or None,
            "children": [],
            "name": TASKS[found.task].wire_name if found.task in TASKS else found.task,
            "args": [task_id],
            "queue": found.queue,
            "worker": found.owner,
            "retries": max(0, found.attempts - 1),
            "date_done": _time_of(found.closed_ms),
        }

    def _result(self, task_id: str, state: str, packed: bytes | None) -> Any:
        if state == states.FAILURE:
            reason, error = self._ledger.failure(task_id)
            return JobFailed(task_id, f"{error} ({reason})")
        return None if packed is None else msgpack.unpackb(packed)

    def _forget(self, task_id: str) -> None:
        """An answer goes when its time is over; others may still wait for it."""


def _time_of(closed_ms: int | None) -> str | None:
    if closed_ms is None:
        return None
    return datetime.fromtimestamp(closed_ms / 1000, UTC).isoformat()
