"""Which Celery pool serves which queues, and which combinations are refused since they lose work.

A worker serves either the inference queues or the training queue. Inference runs in threads, which
share one copy of each model; training runs in a spawned child, so that a run's memory is gone with
it and the parent never loads torch.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from celery import concurrency, signals
from celery.apps.worker import Worker

from jobsentinel.contract.errors import ConfigurationError, JobSentinelError
from jobsentinel.contract.tasks import BULK, INFERENCE_QUEUES, INTERACTIVE, QUEUES, TRAINING

if TYPE_CHECKING:
    from jobsentinel_workers.process import Services

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pool:
    """How one kind of worker runs: its Celery pool and what must hold for it."""

    name: str
    celery_pool: str
    queues: tuple[str, ...]


INFERENCE: Final = Pool(
    "inference", "jobsentinel_workers.inference.lanes:InferencePool", INFERENCE_QUEUES
)
TRAINING_POOL: Final = Pool("training", "prefork", (TRAINING,))


def pool_for(queues: object) -> Pool:
    """Return the pool for the queues of ``-Q`` (names, or names joined by commas).

    Raises:
        ConfigurationError: none are named, one is unknown, or they need different pools.
    """
    names = queues.split(",") if isinstance(queues, str) else list(queues or [])  # type: ignore[call-overload]  # Celery passes a list, text or None
    if not names:
        raise ConfigurationError(
            f"name the queues: -Q {','.join(INFERENCE_QUEUES)} or -Q {TRAINING}; one worker cannot "
            "serve both, since inference needs threads and training a process of its own"
        )
    for name in names:
        if name not in QUEUES:
            raise ConfigurationError(f"-Q: {name!r} is not one of {', '.join(QUEUES)}")
    if set(names) <= set(INFERENCE_QUEUES):
        return INFERENCE
    if names == [TRAINING]:
        return TRAINING_POOL
    raise ConfigurationError(
        "-Q: a worker for training serves no inference queue, because a long run would keep "
        "interactive requests waiting; start two workers"
    )


def refuse_unsafe(conf: Mapping[str, Any], options: Mapping[str, Any], pool: Pool) -> None:
    """Stop a start that would lose or repeat work.

    Raises:
        ConfigurationError: says which option, why, and what to use instead.
    """
    if options.get("autoscale"):
        raise ConfigurationError(
            "--autoscale: shrinking kills children at work; run more or fewer workers instead"
        )
    if options.get("purge"):
        raise ConfigurationError("--purge: it would delete messages of jobs that people wait for")
    _refuse_pool(options.get("pool"), pool)
    if not conf["task_acks_late"]:
        raise ConfigurationError(
            "task_acks_late is off: Celery would forget a message before its job is done"
        )
    accepted = set(conf["accept_content"])
    if accepted - {"msgpack", "application/x-msgpack"}:
        raise ConfigurationError(f"accept_content holds {accepted}; only msgpack is safe to take")


def _refuse_pool(chosen: object, pool: Pool) -> None:
    """The default comes here as the threads class, whatever the queues; others were asked for."""
    name = getattr(chosen, "__module__", "") if isinstance(chosen, type) else str(chosen or "")
    for unsafe, reason in (
        ("solo", "it loses the job in hand at shutdown"),
        ("gevent", "models block its only thread, so leases are not renewed"),
        ("eventlet", "models block its only thread, so leases are not renewed"),
    ):
        if unsafe in name:
            raise ConfigurationError(
                f"--pool {unsafe}: {reason}; leave --pool away, the right one is chosen"
            )


class FleetWorker(Worker):  # type: ignore[misc]  # Celery ships no types
    """Celery's worker, with the pool that its queues need."""

    fleet_pool: Pool
    services: Services | None = None
    has_interactive_lane = False

    def setup_queues(self, include: Any, exclude: Any = None) -> None:
        """Leave the interactive queue to its own consumer where bulk jobs could hold it up."""
        super().setup_queues(include, exclude)
        queues = self.app.amqp.queues
        if {INTERACTIVE, BULK} <= set(queues.consume_from):
            queues.deselect([INTERACTIVE])
            self.has_interactive_lane = True

    def __init__(self, app: Any = None, hostname: str | None = None, **options: Any) -> None:
        application = app or self.app
        self.fleet_pool = pool_for(options.get("queues"))
        refuse_unsafe(application.conf, options, self.fleet_pool)
        options["pool"] = concurrency.get_implementation(self.fleet_pool.celery_pool)
        settings = application.settings
        if self.fleet_pool is TRAINING_POOL:
            options["concurrency"] = options.get("concurrency") or 1
            options["prefetch_multiplier"] = 1
            options["max_tasks_per_child"] = 1
            application.conf.task_soft_time_limit = settings.training_soft_limit_s
            application.conf.task_time_limit = settings.training_soft_limit_s + 300
        else:
            options["concurrency"] = options.get("concurrency") or settings.inference_threads
        application.fleet_pool = self.fleet_pool
        super().__init__(app=app, hostname=hostname, **options)

    def on_start(self) -> None:
        """Load what the work needs before the first message is taken.

        Raises:
            SystemExit: something is missing; the log says what. A worker that cannot work must not
                take messages.
        """
        from jobsentinel_workers.process import Services

        try:
            self.services = Services(self)
            self.services.start()
        except JobSentinelError as error:
            logger.critical("worker.cannot_start %s: %s", type(error).__name__, error)
            raise SystemExit(1) from error
        signals.worker_shutting_down.connect(self._on_shutting_down, weak=False)
        super().on_start()

    def _on_shutting_down(self, **_: Any) -> None:
        if self.services is not None:
            self.services.begin_stopping()

    def on_stopped(self) -> None:
        """End the threads beside the consumer."""
        if self.services is not None:
            self.services.stop()
        super().on_stopped()
