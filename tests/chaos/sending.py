"""Sends the jobs of a run from a thread, no further ahead of the workers than ``backlog``.

What is not accepted is sent again until it is, as any careful scraper does; only what was accepted
counts as sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from .sides import NotAccepted, Side
from .stillness import Stillness

RETRY_S = 0.1
LOST_AFTER_S = 3.0
"""After so long without a job begun, those that are out count as lost and others follow them."""


class Sending(Protocol):
    """Whatever sends the jobs of a run."""

    sent: list[str]
    """The ids of the jobs that were accepted."""
    refused: int
    """How often one was not."""

    def start(self) -> None:
        """Begin to send."""

    def tend(self) -> None:
        """Called often, by the one thread that may start processes."""

    def is_done(self) -> bool:
        """Return whether all is sent; raise what ended the sending before that."""

    def stop(self) -> None:
        """Send no more."""


class Sender:
    """Sends ``total`` jobs; ``computed`` says how many the workers have begun."""

    def __init__(self, side: Side, total: int, backlog: int, computed: Callable[[], int]) -> None:
        self._side = side
        self._total = total
        self._backlog = backlog
        self._computed = computed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._allowed = backlog
        self._error: BaseException | None = None
        self.sent: list[str] = []
        self.refused = 0

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def tend(self) -> None:
        """Nothing to do: the thread goes on by itself."""

    def is_done(self) -> bool:
        """Return whether all is sent.

        Raises:
            BaseException: what ended the thread before that.
        """
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)

    def _run(self) -> None:
        try:
            for number in range(self._total):
                self._send(number)
        except BaseException as error:  # handed to whoever asks `is_done`
            self._error = error

    def _send(self, number: int) -> None:
        while not self._stop.is_set():
            self._wait_for_turn()
            try:
                self.sent.append(self._side.send(number))
                return
            except NotAccepted:
                self.refused += 1
                self._stop.wait(RETRY_S)

    def _wait_for_turn(self) -> None:
        still = Stillness()
        while len(self.sent) - self._computed() >= self._allowed and not self._stop.is_set():
            if still.seconds(self._computed()) > LOST_AFTER_S:
                self._allowed += self._backlog
                still = Stillness()
            self._stop.wait(0.02)
