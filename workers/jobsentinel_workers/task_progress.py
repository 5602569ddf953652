"""Tells Celery's monitors, Flower among them, how far a task is.

The ledger has every report, and the result backend reads it there; a monitor shows what comes as
an event. An event that cannot be sent is not worth a run: the next one says the same.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

EVENT: Final = "task-progress"
"""Monitors make the state ``PROGRESS`` of it."""
INTERVAL_S: Final = 5.0


class TaskProgress:
    """Sends reports of one task, at most one in `INTERVAL_S` seconds."""

    def __init__(self, task: Any) -> None:
        self._task = task
        self._sent_at = float("-inf")

    def __call__(self, report: Mapping[str, Any]) -> None:
        """Send a report, unless the last one was sent just now."""
        now = time.monotonic()
        if now - self._sent_at < INTERVAL_S:
            return
        self._sent_at = now
        connection = self._task.app.connection_for_write()
        away = (*connection.connection_errors, *connection.channel_errors, OperationalError)
        try:
            self._task.send_event(EVENT, retry=False, result=in_words(report))
        except away as error:
            logger.warning("task.progress_not_sent %s", error)


def in_words(report: Mapping[str, Any]) -> str:
    """Return a report as the line that stands for the result until there is one."""
    parts = [str(report.get("phase") or "running")]
    if report.get("fraction") is not None:
        parts.append(f"{report['fraction']:.0%}")
    if report.get("step") is not None:
        parts.append(f"step {report['step']}/{report.get('total_steps') or '?'}")
    if report.get("loss") is not None:
        parts.append(f"loss {report['loss']:.4f}")
    if report.get("eta_s") is not None:
        parts.append(f"{report['eta_s']:.0f} s left")
    return ", ".join(parts)
