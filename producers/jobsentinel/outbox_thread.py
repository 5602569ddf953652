"""The thread of a producer that empties the outbox: at once when Redis is back, and in order.

It runs only where something waits or is kept, and its log has one line when jobs begin to wait and
one when none does any more.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from jobsentinel.backpressure import GrowingPause
from jobsentinel.contract.errors import OutboxUnavailable, QueueUnavailable
from jobsentinel.flushing import Flushed, Flusher
from jobsentinel.ledger import Refusal
from jobsentinel.outbox import Outbox

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_WHEN_FULL_S: Final = 1.0


class OutboxThread:
    """Tries to send what waits, with growing pauses while it cannot."""

    def __init__(self, flusher: Flusher, outbox: Outbox, check_s: float) -> None:
        self._flusher = flusher
        self._outbox = outbox
        self._check_s = check_s
        self._check_at = time.monotonic()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._changed = threading.Condition()
        self._last = Flushed()
        self._filling = False
        self._pause = GrowingPause(_LONGEST_PAUSE_S)
        self._pause_when_full = GrowingPause(_LONGEST_PAUSE_WHEN_FULL_S)

    @property
    def redis_is_away(self) -> bool:
        """Whether the last attempt found no Redis."""
        return self._last.away is not None

    def begin(self, reason: str) -> None:
        """Jobs wait in the outbox for this reason: say so once, and try to send them."""
        with self._changed:
            if not self._filling:
                self._filling = True
                logger.warning("outbox.filling path=%s: %s", self._outbox.path, reason)
        self.wake()

    def wake(self) -> None:
        """Look at the outbox now, unless Redis was just found away."""
        self._woken.set()
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread after the attempt it may be in."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def wait_for_room(self, queue: str, timeout_s: float) -> Refusal | None:
        """Wait while jobs of a queue are refused; return the refusal when that lasts too long."""
        with self._changed:
            self._changed.wait_for(lambda: self._last.refusal(queue) is None, timeout_s)
            return self._last.refusal(queue)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self._rest(self._turn())
            except OutboxUnavailable as error:
                logger.error("outbox.unusable %s", error)
                self._stopped.wait(_LONGEST_PAUSE_S)
            except Exception:  # a thread's edge: what broke one turn must not end all others
                logger.exception("outbox.turn_failed path=%s", self._outbox.path)
                self._stopped.wait(_LONGEST_PAUSE_S)

    def _turn(self) -> Flushed:
        flushed = self._flusher.flush()
        if flushed.away is None and time.monotonic() >= self._check_at:
            flushed = self._check(flushed)
        self._publish(flushed)
        return flushed

    def _check(self, flushed: Flushed) -> Flushed:
        try:
            self._flusher.check()
        except QueueUnavailable as error:
            return Flushed(away=error)
        self._check_at = time.monotonic() + self._check_s
        return flushed if flushed.refusals else self._flusher.flush()

    def _publish(self, flushed: Flushed) -> None:
        with self._changed:
            self._last = flushed
            if self._filling and not self._outbox.has_waiting():
                self._filling = False
                logger.warning(
                    "outbox.empty path=%s: nothing waits there any more", self._outbox.path
                )
            self._changed.notify_all()

    def _rest(self, flushed: Flushed) -> None:
        if flushed.away or flushed.busy:
            self._stopped.wait(self._pause.next_s())
            return
        self._pause.reset()
        if flushed.sent:
            self._pause_when_full.reset()
        rate_s = flushed.rate_wait_s()
        if rate_s is not None:
            self._stopped.wait(rate_s)
        elif flushed.refusals:
            self._woken.wait(self._pause_when_full.next_s())
        else:
            until_check_s = max(0.0, self._check_at - time.monotonic())
            # With nothing to look after, only `wake` ends this.
            self._woken.wait(None if self._outbox.is_empty() else until_check_s)
