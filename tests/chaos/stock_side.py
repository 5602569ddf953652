"""Stock Celery under test: the application of `stock_app`, and its table of effects."""

from __future__ import annotations

from typing import Any

import kombu.exceptions
import redis

from jobsentinel import Settings

from . import effects, stock_app
from .conditions import Conditions
from .sides import NotAccepted, worker_command
from .workers import Program


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
            worker_command("tests.chaos.stock_app", *options),
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
