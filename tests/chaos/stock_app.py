"""The peer: plain Celery over Redis as a careful reader of its documentation sets it up.

Late acknowledgement, redelivery of what a lost worker had, prefetch 1, a visibility timeout that is
short enough to see redelivery within a run and long enough for the work, retries of publishing, of
connecting and of storing. The work is that of `fleet_app`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Final

from celery import Celery, signals

from . import effects, traps
from .computations import Work
from .conditions import Conditions

TASK: Final = "stock.score"
QUEUE: Final = "stock"
VISIBILITY_TIMEOUT_S: Final = 30
RESTORE_INTERVAL_S: Final = 5
READY_FILE_VARIABLE: Final = "CHAOS_READY_FILE"

_lock = threading.Lock()
_apps: list[Any] = []


def make_app(redis_url: str) -> Any:
    """Return a Celery app for the server; nothing connects yet."""
    app = Celery("stock", broker=redis_url, backend=redis_url)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=QUEUE,
        task_track_started=True,
        task_publish_retry=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "unacked_restore_interval": RESTORE_INTERVAL_S,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        redis_socket_timeout=30.0,
        redis_socket_keepalive=True,
        redis_backend_health_check_interval=25,
    )
    return app


def _make_worker_app() -> Any:
    conditions = Conditions.from_environment()
    traps.set_traps(conditions)
    signals.worker_ready.connect(_say_ready, weak=False)
    app = make_app(conditions.redis_url)
    work = Work(conditions)

    def score(self: Any, key: str) -> str:
        work.compute(key, self.request.retries + 1)
        _store(conditions.store, key)
        return key

    app.task(
        score,
        name=TASK,
        bind=True,
        autoretry_for=(sqlite3.Error,),
        retry_backoff=True,
        retry_backoff_max=10,
        max_retries=None,
        shared=False,
    )
    return app


def _store(store: Path, key: str) -> None:
    with contextlib.closing(effects.open_store(store)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(effects.INSERT, (key, os.getpid(), time.time()))


def _say_ready(**_: Any) -> None:
    Path(os.environ[READY_FILE_VARIABLE]).write_text(str(os.getpid()), encoding="ascii")


def __getattr__(name: str) -> Any:
    if name not in {"app", "celery"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _lock:
        if not _apps:
            _apps.append(_make_worker_app())
        return _apps[0]
