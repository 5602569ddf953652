"""The Celery application of the fleet: ``celery -A jobsentinel_workers.app worker -Q ...``.

``app`` is made when it is first asked for, so that importing this module reads no environment.
Settings that decide whether work can be lost are fixed here; `pools` refuses the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celery import Celery
from kombu.entity import Queue

from jobsentinel.contract.tasks import BULK, QUEUES, TASKS
from jobsentinel.settings import Settings
from jobsentinel_workers.inference.lanes import InteractiveConsumer
from jobsentinel_workers.loop.beat import SCHEDULER, beat_schedule
from jobsentinel_workers.pools import INFERENCE, Pool
from jobsentinel_workers.pulse import PulseStep
from jobsentinel_workers.tasks import register_tasks

if TYPE_CHECKING:
    from jobsentinel.ledger import Ledger
    from jobsentinel_workers.jobs.lifecycle import Handler
    from jobsentinel_workers.store import Database

TRANSPORT = "jobsentinel_workers.redis_transport:Transport"
RESULT_BACKEND = "jobsentinel_workers.ledger_backend:LedgerBackend"

_lock = threading.Lock()
_app: FleetApp | None = None


class FleetApp(Celery):  # type: ignore[misc]  # Celery ships no types
    """A Celery app that knows the fleet's settings and is rebuilt from them in spawned children."""

    settings: Settings
    fleet_pool: Pool = INFERENCE

    def make_handlers(self, pool: str, database: Database, ledger: Ledger) -> Mapping[str, Handler]:
        """Return the work that the pool ``inference`` or ``training`` does, by task name.

        Torch comes with these imports, so a process loads only what its pool needs.
        """
        if pool == "training":
            from jobsentinel_workers.training.handlers import training_handlers

            return training_handlers(self.settings, database, ledger)
        from jobsentinel_workers.inference.handlers import inference_handlers

        return inference_handlers(self.settings, database, ledger)

    @property
    def Worker(self) -> Any:
        """The worker program, which picks its pool by its queues."""
        return self.subclass_with_self("jobsentinel_workers.pools:FleetWorker")

    def __reduce__(self) -> tuple[Any, ...]:
        return create_app, (self.settings, type(self))


def create_app(settings: Settings, kind: type[FleetApp] = FleetApp) -> FleetApp:
    """Return an application for ``settings``; nothing connects yet.

    Raises:
        ConfigurationError: no Redis is set and no embedded one runs.
    """
    url = settings.resolve_redis_url()
    app = kind("jobsentinel", broker=url, backend=RESULT_BACKEND)
    app.settings = settings
    app.conf.update(_configuration(settings))
    register_tasks(app)
    app.steps["consumer"].add(InteractiveConsumer)
    app.steps["worker"].add(PulseStep)
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    prefix = f"{settings.namespace}:"
    return {
        # Only msgpack is read: a pickle in a message could run code.
        "accept_content": ["msgpack"],
        "result_accept_content": ["msgpack"],
        "task_serializer": "msgpack",
        "result_serializer": "msgpack",
        "event_serializer": "msgpack",
        "task_queues": [_queue(name) for name in QUEUES],
        "task_default_queue": BULK,
        "task_create_missing_queues": False,
        "task_routes": {task.wire_name: {"queue": task.queue} for task in TASKS.values()},
        # The ledger gives back what a killed worker had; Celery's own redelivery is the second
        # net, and a message that comes twice is recognised.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_track_started": True,
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "worker_pool": "threads",
        "worker_pool_start_method": "spawn",
        # A spawned child is not killed for starting slowly on a busy machine, again and again.
        "worker_proc_alive_timeout": 120.0,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": True,
        "beat_schedule": beat_schedule(settings),
        "beat_scheduler": SCHEDULER,
        "broker_transport": TRANSPORT,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A server that refuses for now, as a replica does until it is promoted, ends no worker.
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            "global_keyprefix": prefix,
            "queue_order_strategy": "priority",
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
            "unacked_restore_interval": 10,
        },
    }


def _queue(name: str) -> Any:
    make: Any = Queue  # untyped in kombu
    return make(name, routing_key=name)


def __getattr__(name: str) -> Any:
    if name not in {"app", "celery"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    global _app  # noqa: PLW0603  # one application a process, made on demand
    with _lock:
        if _app is None:
            _app = create_app(Settings.load())
    return _app
