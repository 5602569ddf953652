"""What a worker process holds: store, ledger, leases and models, each made once, on demand."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import uuid
from pathlib import Path
from typing import Any

from celery import signals

from jobsentinel.contract.tasks import INTERACTIVE
from jobsentinel.ledger import Ledger, connect
from jobsentinel.settings import Settings
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.jobs.leases import LeaseKeeper
from jobsentinel_workers.jobs.lifecycle import JobRunner
from jobsentinel_workers.jobs.reconciler import Reconciler
from jobsentinel_workers.jobs.stopping import StopSignal
from jobsentinel_workers.models_in_service import models_generation, open_registry
from jobsentinel_workers.redis_server import wait_until_usable
from jobsentinel_workers.store import Database
from jobsentinel_workers.watchdog import Watchdog
from jobsentinel_workers.worker_status import answer_status

logger = logging.getLogger(__name__)

READY_FILE_VARIABLE = "JOBSENTINEL_READY_FILE"
FINISHING_SHARE = 0.6
"""Of the time that a worker has between being told to stop and being killed."""

stopping = StopSignal()
"""This process's own; nothing happens until somebody begins it."""

_lock = threading.Lock()
_runners: dict[tuple[int, str], JobRunner] = {}


def connect_ledger(settings: Settings) -> Ledger:
    """Return the ledger at the settings' Redis."""
    return Ledger(connect(settings.resolve_redis_url()), settings.namespace)


def process_name() -> str:
    """Return a name for this process that no other has, even after its pid is used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def runner_of(app: Any, pool: str) -> JobRunner:
    """Return this process's job runner for a pool, loading what it needs the first time."""
    key = (os.getpid(), pool)
    with _lock:
        if key not in _runners:
            _runners[key] = _make_runner(app, pool)
        return _runners[key]


def _make_runner(app: Any, pool: str) -> JobRunner:
    settings: Settings = app.settings
    database = Database.open(_ready_store(settings))
    ledger = connect_ledger(settings)
    return JobRunner(
        settings=settings,
        ledger=ledger,
        leases=LeaseKeeper(ledger, settings.lease_s, stopping),
        database=database,
        handlers=app.make_handlers(pool, database, ledger),
        owner=process_name(),
    )


def _ready_store(settings: Settings) -> str:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return settings.store_url


class Services:
    """The threads that run beside a Celery worker's consumer."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._app = worker.app
        settings: Settings = self._app.settings
        self._settings = settings
        self._client = connect(settings.resolve_redis_url())
        ledger = Ledger(self._client, settings.namespace)
        self._database = Database.open(_ready_store(settings))
        self._reconciler = Reconciler(
            settings,
            ledger,
            self._database,
            process_name(),
            on_emptied=self._tell_models,
        )
        queues = worker.app.amqp.queues
        served = [*queues.consume_from, *([INTERACTIVE] if worker.has_interactive_lane else [])]
        self._watchdog = Watchdog(
            worker, ledger, served, period_s=settings.watchdog_s, stop_signal=stopping
        )
        self._ledger = ledger

    def start(self) -> None:
        """Wait for Redis, load the models of an inference worker, then begin to reconcile."""
        answer_status()
        wait_until_usable(self._client, self._worker.pulse.moved)
        AuditLog(self._settings).check(self._database)
        if self._app.fleet_pool.name == "inference":
            runner_of(self._app, "inference")
        self._reconciler.start()
        self._watchdog.start()

    def stop(self) -> None:
        """End the threads."""
        self._watchdog.stop()
        self._reconciler.stop()

    def begin_stopping(self) -> None:
        """Take up no more jobs, and see to it that those in hand end or go back in time."""
        stopping.begin(FINISHING_SHARE * self._settings.shutdown_grace_s)
        if self._app.fleet_pool.name == "training":
            for child in self._worker.pool._pool._pool:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)

    def _tell_models(self) -> None:
        if self._app.fleet_pool.name == "inference":
            generation = models_generation(open_registry(self._settings))
            self._ledger.publish_models_generation(generation)


def _say_ready(**_: Any) -> None:
    """Whoever started this worker may wait for a file to appear."""
    path = os.environ.get(READY_FILE_VARIABLE)
    if path:
        Path(path).write_text(str(os.getpid()), encoding="ascii")


signals.worker_ready.connect(_say_ready, weak=False)
