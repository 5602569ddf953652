"""Who is under test: our fleet, or stock Celery. Both are asked the same questions."""

from __future__ import annotations

import sys
from typing import Protocol

from .workers import Program


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


def worker_command(app: str, *options: str) -> tuple[str, ...]:
    """Return the command that starts a worker of an application of the suite."""
    # Mingling waits a second for other workers to say hello; without it more kills hit work.
    common = ("worker", "--loglevel", "INFO", "--without-mingle")
    return (sys.executable, "-m", "celery", "-A", app, *common, *options)
