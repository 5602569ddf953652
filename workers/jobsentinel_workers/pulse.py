"""The beat of a worker, written for as long as its main thread gets somewhere (`health` reads it).

A thread writes it, so that loading a model does not look like death; but it falls silent when the
main thread does: when Celery's event loop stands still, or a start takes for ever. A worker that
waits for Redis lives, though it is not ready: to kill it would not bring Redis back. One that was
told to stop lives until it has ended.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from celery import bootsteps, signals

from jobsentinel.contract.errors import ConfigurationError
from jobsentinel_workers.health import BEAT_S, HEALTH_FILE_VARIABLE, Beat

logger = logging.getLogger(__name__)

LOOP_SILENCE_S: Final = 120.0
"""The loop reads Redis with a socket timeout of 30 s, so a frozen server holds it up for that long
at a time; beyond this it is stuck."""
START_SILENCE_S: Final = 900.0
"""Migrating a large store and loading models from a slow disk may take minutes."""


class Pulse:
    """Knows what a worker does and when its main thread last moved; beats if it has a file."""

    def __init__(self, worker: Any, file: Path | None) -> None:
        self._worker = worker
        self._file = file
        self._loops = False
        self._stopping = False
        self._was_silent = False
        self.moved()

    def moved(self) -> None:
        """The main thread got somewhere."""
        self._moved_at_s = time.monotonic()

    def loops(self) -> None:
        """The event loop runs, and with it the consumer."""
        self._loops = True
        self.moved()

    def start(self) -> None:
        """Begin to beat.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        if self._file is None:
            return
        try:
            self._beat(self._file)
        except OSError as error:
            raise ConfigurationError(
                f"{HEALTH_FILE_VARIABLE}: {error}; name a file in a folder that this user may write"
            ) from None
        signals.worker_shutting_down.connect(self._on_shutting_down, weak=False)
        threading.Thread(
            target=self._run, args=(self._file,), name="health-beat", daemon=True
        ).start()

    def _on_shutting_down(self, **_: Any) -> None:
        self._stopping = True

    def _run(self, file: Path) -> None:
        while True:
            time.sleep(BEAT_S)  # a daemon: it ends with the process, and beats until then
            try:
                self._beat(file)
            except OSError as error:  # told by the probe too, whose file gets old
                logger.error("health.cannot_write %s", error)

    def _beat(self, file: Path) -> None:
        doing, silence_s = self._state()
        age_s = time.monotonic() - self._moved_at_s
        silent = age_s > silence_s
        if silent and not self._was_silent:
            logger.error("health.silent doing=%s for_s=%.0f", doing, age_s)
        self._was_silent = silent
        if not silent:
            Beat(time.monotonic(), doing, ready=doing == "consuming").write(file)

    def _state(self) -> tuple[str, float]:
        """Return what the worker does and for how long its main thread may stay silent at it."""
        if self._stopping:
            return "stopping", float("inf")
        if not self._loops:
            return "starting", START_SILENCE_S
        if self._worker.consumer.connection is None:
            self.moved()  # it tries until Redis is back; the loop's time counts from then
            return "waiting for Redis", LOOP_SILENCE_S
        return "consuming", LOOP_SILENCE_S


class PulseStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery ships no types
    """Gives each worker its pulse, before it starts, and lets its event loop keep it going."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        name = os.environ.get(HEALTH_FILE_VARIABLE)
        parent.pulse = Pulse(parent, Path(name) if name else None)

    def create(self, parent: Any) -> None:
        """Begin to beat while the worker is put together, well before it connects."""
        parent.pulse.start()

    def register_with_event_loop(self, parent: Any, hub: Any) -> None:
        """Move with the loop; Celery calls this anew for each connection."""
        parent.pulse.loops()
        hub.call_repeatedly(BEAT_S, parent.pulse.moved)
