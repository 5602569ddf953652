"""Our fleet under test: its own application, a real producer, and its store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis

from jobsentinel import Producer, QueueUnavailable, Settings
from jobsentinel.contract.errors import OutboxFull
from jobsentinel.contract.tasks import BULK, INFERENCE_QUEUES, INTERACTIVE, QUEUES
from jobsentinel.outbox import Outbox
from jobsentinel_workers.process import READY_FILE_VARIABLE
from jobsentinel_workers.store import Database

from . import effects
from .conditions import Conditions
from .sides import NotAccepted, worker_command
from .workers import Program


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
            worker_command("tests.chaos.fleet_app", "-Q", ",".join(INFERENCE_QUEUES)),
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


def postings_of(number: int) -> list[dict[str, str]]:
    """Return the postings of a job: one, or three for every tenth."""
    count = 3 if number % 10 == 0 else 1
    return [{"id": f"p{number}-{n}", "title": f"Posting {number}, {n}"} for n in range(count)]


def _variables(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True)
    return {f"JOBSENTINEL_{name.upper()}": str(value) for name, value in values.items()}
