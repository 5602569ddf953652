"""Celery beat's scheduler for a fleet whose jobs go through the ledger.

Stock beat puts a bare message into the queue, which no ledger knows and no worker here accepts.
This one sends jobs. Several beats are harmless: a job is named after its turn on the clock, which
all beats share, and none is sent while one waits. Nothing is kept on disk.
"""

from __future__ import annotations

import time
from typing import Any, Final

from celery.beat import Scheduler

from jobsentinel.contract.tasks import TASKS
from jobsentinel.ledger import Ledger, connect
from jobsentinel.settings import Settings
from jobsentinel_workers.loop.checking import CHECK_LOOPS, ask

ENTRY: Final = TASKS[CHECK_LOOPS].wire_name
SCHEDULER: Final = "jobsentinel_workers.loop.beat:LedgerScheduler"


def beat_schedule(settings: Settings) -> dict[str, Any]:
    """Return what Celery beat does: one entry, the check of the loops."""
    return {ENTRY: {"task": ENTRY, "schedule": settings.loop_check_s}}


class LedgerScheduler(Scheduler):  # type: ignore[misc]  # Celery ships no types
    """Sends what is due as a job; the first check comes at once."""

    producer = None
    """The base class would open a connection of kombu's, which nothing here uses."""

    def install_default_entries(self, data: Any) -> None:
        """Add none: Celery's cleaning of results is not for a ledger."""

    def setup_schedule(self) -> None:
        """Make every entry due at the first tick, as if it had not run for one period."""
        super().setup_schedule()
        for entry in self.schedule.values():
            entry.last_run_at = entry.default_now() - entry.schedule.run_every

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **_: Any) -> None:
        """Send the check for this turn of the clock.

        Raises:
            QueueUnavailable: Redis cannot be reached; beat logs it and goes on.
        """
        if advance:
            self.reserve(entry)
        settings: Settings = self.app.settings
        turn = int(time.time() // settings.loop_check_s)
        ask(settings, self._ledger(), key=f"schedule:{settings.loop_check_s:g}:{turn}")

    def _ledger(self) -> Ledger:
        settings: Settings = self.app.settings
        return Ledger(connect(settings.resolve_redis_url()), settings.namespace)
