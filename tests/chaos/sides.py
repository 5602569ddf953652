"""Who is under test: our fleet, or stock Celery. Both are asked the same questions."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

import kombu.exceptions
import redis

from jobsentinel import Producer, QueueUnavailable, Settings
from jobsentinel.contract.errors import OutboxFull
from jobsentinel.contract.tasks import BULK, INFERENCE_QUEUES, INTERACTIVE, QUEUES
from jobsentinel.outbox import Outbox
from jobsentinel_workers.process import READY_FILE_VARIABLE
from jobsentinel_workers.store import Database

from . import effects, stock_app
from .conditions import Conditions
from .workers import Program

LONG_SETTINGS: Mapping[str, object] = {
    "lease_s": 4.0,
    "reconcile_interval_s": 0.5,
    "lost_message_grace_s": 3.0,
    "retry_base_s": 0.2,
    # Chaos kills one job many times; what is wanted here is that all are done, not given up.
    "max_attempts": 100,
}
"""Settings with which recovery is a matter of seconds."""
QUICK_SETTINGS: Mapping[str, object] = {
    **LONG_SETTINGS,
    "lease_s": 2.0,
    "reconcile_interval_s": 0.2,
    "lost_message_grace_s": 1.5,
}
"""The same for runs that are a matter of seconds themselves."""


class NotAccepted(Exception):
    """A job could not be sent; whoever sends tries again."""


class Side(Protocol):
    """A fleet under test."""

    title: str
    redelivery_s: float
    """How long what is missing may take to appear again when all queues are empty."""
    patience_s: float
    """After so long without progress, nothing more will come."""

    def prepare(self) -> None:
        """Make the store."""

    def program(self) -> Program:
        """Return how a worker is started."""

    def scraper(self) -> tuple[str, dict[str, str]]:
        """Return how a `scraper` for this side is started: its argument and environment."""

    def send(self, number: int) -> str:
        """Send the job of that number and return its id; raise `NotAccepted` if it was not."""

    def is_quiet(self) -> bool:
        """Return whether nothing waits and nothing runs."""

    def queues(self) -> list[str]:
        """Return the keys of the lists in which messages wait."""

    def stored(self) -> set[str]:
        """Return the jobs whose results are stored."""

    def given_up(self, job_ids: set[str]) -> set[str]:
        """Return which of these jobs are dead letters or cancelled."""

    def close(self) -> None:
        """Close connections."""


class Ours:
    """The fleet of this repository, with a real producer."""

    title = "JobSentinel"

    def __init__(
        self,
        conditions: Conditions,
        settings: Mapping[str, object],
        producer_settings: Mapping[str, object],
    ) -> None:
        self._conditions = conditions
        common = {"redis_url": conditions.redis_url, "namespace": "chaos", **settings}
        self.settings = Settings.load(data_dir=conditions.data_dir, **common)
        # A folder of its own: a scraper is on another machine, with another disk.
        self.producer_settings = Settings.load(
            **{**common, "data_dir": conditions.producer_dir, "outbox_check_s": 1.0},
            **producer_settings,
        )
        self.producer = Producer(settings=self.producer_settings)
        self._outbox = Outbox(
            self.producer_settings.outbox_file, max_bytes=self.producer_settings.outbox_max_bytes
        )
        self.redelivery_s = 2 * (self.settings.lease_s + self.settings.lost_message_grace_s)
        self.patience_s = 30 + 2 * self.redelivery_s

    def prepare(self) -> None:
        """Make the store with its tables and that of the effects."""
        self._conditions.data_dir.mkdir(parents=True, exist_ok=True)
        Database.open(self.settings.store_url).close()
        effects.create(self._conditions.store)

    def program(self) -> Program:
        """Return the command that an operator gives, for this application."""
        return Program(
            _celery("tests.chaos.fleet_app", "-Q", ",".join(INFERENCE_QUEUES)),
            {**self._conditions.environment(), **_variables(self.settings)},
            READY_FILE_VARIABLE,
        )

    def scraper(self) -> tuple[str, dict[str, str]]:
        """Return how a `scraper` for this side is started: its argument and environment."""
        variables = _variables(self.producer_settings)
        return "ours", {**self._conditions.environment(), **variables}

    def send(self, number: int) -> str:
        """Score one posting or three; every seventh job is an interactive one."""
        queue = INTERACTIVE if number % 7 == 0 else BULK
        try:
            stream = self.producer.score(postings_of(number), queue=queue)
        except (QueueUnavailable, OutboxFull) as error:
            raise NotAccepted(str(error)) from error
        (job,) = stream.jobs
        return job.job_id

    def is_quiet(self) -> bool:
        """Return whether outbox and ledger have no open job, message or unburied dead letter."""
        kept = self._outbox.contents()
        if kept.waiting or kept.kept:
            return False
        try:
            depths = self.producer.depths()
            with redis.Redis.from_url(self._conditions.redis_url) as client:
                unsent: Any = client.zcard(f"{self.settings.namespace}:queued")
        except (QueueUnavailable, redis.RedisError):
            return False
        return not any(depths.values()) and not unsent

    def stored(self) -> set[str]:
        """Return the jobs with results in the store's own table."""
        return effects.ids_in(self._conditions.store, "results")

    def given_up(self, job_ids: set[str]) -> set[str]:
        """Return the dead letters in the store and what the ledger calls cancelled."""
        dead = effects.ids_in(self._conditions.store, "dead_letters") & job_ids
        states = {job: self.producer.ledger.state(job) for job in job_ids - dead}
        return dead | {job for job, state in states.items() if state == "cancelled"}

    def queues(self) -> list[str]:
        """Return the keys of the lists in which messages wait."""
        return [f"{self.settings.namespace}:{queue}" for queue in QUEUES]

    def close(self) -> None:
        """Close the producer."""
        self.producer.close()
        self._outbox.close()


class Stock:
    """Plain Celery over Redis; see `stock_app` for its settings."""

    title = "stock Celery"
    redelivery_s = 2.0 * stock_app.VISIBILITY_TIMEOUT_S
    patience_s = 4.0 * stock_app.VISIBILITY_TIMEOUT_S

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._app = stock_app.make_app(conditions.redis_url)

    def prepare(self) -> None:
        """Make the store with the one table it needs."""
        self._conditions.data_dir.mkdir(parents=True, exist_ok=True)
        effects.create(self._conditions.store)

    def program(self) -> Program:
        """Return a worker of as many threads as ours has for bulk jobs."""
        threads = Settings.model_fields["inference_threads"].default
        options = ("-Q", stock_app.QUEUE, "--pool", "threads", "--concurrency", str(threads))
        return Program(
            _celery("tests.chaos.stock_app", *options),
            self._conditions.environment(),
            stock_app.READY_FILE_VARIABLE,
        )

    def scraper(self) -> tuple[str, dict[str, str]]:
        """Return how a `scraper` for this side is started: its argument and environment."""
        return "stock", self._conditions.environment()

    def send(self, number: int) -> str:
        """Send a job under an id of its own."""
        key = f"job-{number:06d}"
        try:
            self._app.send_task(stock_app.TASK, args=[key], task_id=key, queue=stock_app.QUEUE)
        except (kombu.exceptions.OperationalError, redis.RedisError) as error:
            raise NotAccepted(str(error)) from error
        return key

    def is_quiet(self) -> bool:
        """Return whether the queue and the list of unacknowledged messages are empty."""
        try:
            with redis.Redis.from_url(self._conditions.redis_url) as client:
                waiting: Any = client.llen(stock_app.QUEUE)
                unacknowledged: Any = client.hlen("unacked")
        except redis.RedisError:
            return False
        return not waiting and not unacknowledged

    def stored(self) -> set[str]:
        """Return the jobs with an effect."""
        return effects.ids_in(self._conditions.store, "effects")

    def given_up(self, job_ids: set[str]) -> set[str]:
        """Stock Celery has no dead letters."""
        del job_ids
        return set()

    def queues(self) -> list[str]:
        """Return the keys of the lists in which messages wait."""
        return [stock_app.QUEUE]

    def close(self) -> None:
        """Close the connections of this process."""
        self._app.close()


def postings_of(number: int) -> list[dict[str, str]]:
    """Return the postings of a job: one, or three for every tenth."""
    count = 3 if number % 10 == 0 else 1
    return [{"id": f"p{number}-{n}", "title": f"Posting {number}, {n}"} for n in range(count)]


def _variables(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True)
    return {f"JOBSENTINEL_{name.upper()}": str(value) for name, value in values.items()}


def _celery(app: str, *options: str) -> tuple[str, ...]:
    # Mingling waits a second for other workers to say hello; without it more kills hit work.
    common = ("worker", "--loglevel", "INFO", "--without-mingle")
    return (sys.executable, "-m", "celery", "-A", app, *common, *options)
