"""Many notices in a row that labels were stored become one request for a check.

An import of 10,000 labels comes as ten messages, and none of them is known to be the last: so the
check is asked for once it has been quiet for a moment, or after a while if it never is. It is a
matter of being early only: should the process end before, the schedule's next check sees all.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from jobsentinel.contract.errors import JobSentinelError

logger = logging.getLogger(__name__)

QUIET_S: Final = 2.0
LONGEST_WAIT_S: Final = 30.0


class Notices:
    """Calls ``ask`` when notices have ceased for ``quiet_s``; may be shared by threads."""

    def __init__(
        self,
        ask: Callable[[], object],
        *,
        quiet_s: float = QUIET_S,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._ask = ask
        self._quiet_s = quiet_s
        self._longest_wait_s = longest_wait_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._first = self._last = 0.0

    def notice(self) -> None:
        """Note that labels were stored, or are in this very transaction."""
        with self._lock:
            self._last = time.monotonic()
            if self._timer is None:
                self._first = self._last
                self._wait(min(self._quiet_s, self._longest_wait_s))

    def stop(self) -> None:
        """Ask no more."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._lock:
            at = min(self._last + self._quiet_s, self._first + self._longest_wait_s)
            left_s = at - time.monotonic()
            if left_s > 0:
                self._wait(left_s)
                return
            self._timer = None
        try:
            self._ask()
        except JobSentinelError as error:  # Redis or the store is away
            logger.warning("loop.check_not_sent %s; the schedule's next one sees it", error)
