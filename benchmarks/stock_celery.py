"""Celery as it comes, with the same pool, serializer and events: ``-A benchmarks.stock_celery``.

What the fleet sets so that nothing is lost is set here too, as far as Celery has it.
"""

from __future__ import annotations

import os
from typing import Any, Final

from celery import Celery

CAREFUL: Final = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_track_started": True,
    "worker_prefetch_multiplier": 1,
    "broker_connection_retry_on_startup": True,
}
"""What Celery's documentation advises for work that should not be lost."""


def make_app(url: str) -> Any:
    """Return an application with one empty task."""
    app = Celery("stock", broker=url, backend=url)
    app.conf.update(
        accept_content=["msgpack"],
        result_accept_content=["msgpack"],
        task_serializer="msgpack",
        result_serializer="msgpack",
        event_serializer="msgpack",
        task_default_queue="stock",
        result_extended=True,
        worker_send_task_events=True,
        task_send_sent_event=True,
        **CAREFUL,
    )
    app.task(name="stock.nothing", shared=False)(nothing)
    return app


def nothing(query: str) -> dict[str, object]:
    """Return what the fleet's empty task returns."""
    del query
    return {"ranked": [], "candidates": 0, "timings_ms": {}, "models": []}


def __getattr__(name: str) -> Any:
    if name not in {"app", "celery"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = make_app(os.environ["JOBSENTINEL_REDIS_URL"])
    return globals()["app"]
