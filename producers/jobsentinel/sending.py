"""How a producer's jobs leave: into their queue, or into the outbox when they cannot go there.

What `Sender.send` has returned for is in Redis or on disk. While anything waits in the outbox, new
jobs go there too, behind it, so that they keep their order.
"""

from __future__ import annotations

import logging
import time

from jobsentinel.backpressure import Gate, GrowingPause
from jobsentinel.contract.errors import OutboxUnavailable, QueueFull, QueueUnavailable
from jobsentinel.flushing import Flusher, outbox_of
from jobsentinel.ledger import Ledger, Refusal
from jobsentinel.new_jobs import NewJob
from jobsentinel.outbox import Waiting
from jobsentinel.outbox_thread import OutboxThread
from jobsentinel.settings import Settings

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 1.0


class Sender:
    """Sends jobs as these settings say; safe to share between threads."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._gate = Gate(ledger, settings)
        self._keep = settings.keep_until_done
        self._uses_outbox = self._keep or "outbox" in (settings.when_away, settings.when_full)
        self.outbox = outbox_of(settings)
        self._flusher = Flusher(ledger, self._gate, settings)
        self._thread = OutboxThread(self._flusher, self.outbox, settings.outbox_check_s)
        self._generation = ""
        if self._uses_outbox:
            self._take_over()

    def _take_over(self) -> None:
        """Go on with what an earlier process has left in the outbox."""
        if self.outbox.has_waiting():
            self._thread.begin("an earlier process has left jobs there")
        elif not self.outbox.is_empty():
            self._thread.wake()

    def models_generation(self) -> str:
        """Return the models in service; while Redis is away, those seen last.

        Raises:
            QueueUnavailable: Redis is away, and this producer raises then.
        """
        if not self._thread.redis_is_away:
            try:
                self._generation = self._ledger.models_generation()
            except QueueUnavailable:
                if self._settings.when_away == "raise":
                    raise
        return self._generation

    def send(self, job: NewJob) -> None:
        """Send a job, now or later.

        Raises:
            QueueFull, RateLimited: it was not let in, and this producer does not use the outbox
                for that; it is nowhere.
            QueueUnavailable: Redis cannot be reached, and it does not use it for that either.
            OutboxFull: it had to go to the outbox, and there is no room.
        """
        if self._uses_outbox and self.outbox.has_waiting():
            self._send_behind(job)
        elif self._keep:
            self._send_kept(job)
        elif reason := self._send_now(job):
            try:
                self.outbox.append(job)
            except OutboxUnavailable as error:
                error.add_note(f"It had to go there: {reason}")
                raise
            self._thread.begin(reason)

    def _send_behind(self, job: NewJob) -> None:
        """Let a job wait behind others; while these are refused, it is refused with them."""
        self._thread.wake()
        if self._settings.when_full != "outbox":
            blocking = self._settings.when_full == "block"
            timeout_s = self._settings.full_timeout_s if blocking else 0.0
            refusal = self._thread.wait_for_room(job.queue, timeout_s)
            if refusal is not None:
                raise self._gate.refused(job.queue, refusal)
        self.outbox.append(job, keep=self._keep)
        self._thread.wake()

    def _send_kept(self, job: NewJob) -> None:
        """Write a job down before it is sent."""
        row = Waiting(self.outbox.append(job, keep=True), job)
        try:
            reason = self._send_now(job)
        except (QueueFull, QueueUnavailable):
            if self.outbox.remove(row.seq):
                raise
            return  # the thread has sent it meanwhile
        if reason:
            self._thread.begin(reason)
            return
        try:
            self._flusher.settle(row)
        except (OutboxUnavailable, QueueUnavailable) as error:
            # It is sent; the thread sends it once more, which changes nothing, and settles it.
            logger.warning("outbox.unsettled job_id=%s %s", job.job_id, error)
        self._thread.wake()

    def _send_now(self, job: NewJob) -> str | None:
        """Send a job into its queue; return why it must go to the outbox, if it must."""
        give_up_at = time.monotonic() + self._settings.full_timeout_s
        pauses = GrowingPause(_LONGEST_PAUSE_S)
        while True:
            try:
                refusal = self._gate.offer(job)
            except QueueUnavailable as error:
                if self._settings.when_away == "raise":
                    raise
                return str(error)
            if refusal is None:
                return None
            if self._settings.when_full == "outbox":
                return str(self._gate.refused(job.queue, refusal))
            self._wait_for_room(job, refusal, pauses, give_up_at - time.monotonic())

    def _wait_for_room(
        self, job: NewJob, refusal: Refusal, pauses: GrowingPause, left_s: float
    ) -> None:
        """Wait until it is worth trying again, or raise when that would be too late."""
        if self._settings.when_full == "raise" or left_s <= 0 or left_s < (refusal.wait_s or 0):
            raise self._gate.refused(job.queue, refusal)
        time.sleep(min(pauses.next_s(), left_s) if refusal.wait_s is None else refusal.wait_s)

    def close(self) -> None:
        """Try once more to empty the outbox; say what stays there."""
        self._thread.stop()
        try:
            if self._uses_outbox and not self.outbox.is_empty():
                self._last_attempt()
        except OutboxUnavailable as error:
            logger.error("outbox.unusable %s", error)
        self._flusher.close()
        self.outbox.close()

    def _last_attempt(self) -> None:
        self._flusher.look_after()
        waiting = self.outbox.contents().waiting
        if waiting:
            logger.warning(
                "outbox.left jobs=%d path=%s: the next producer with this data folder sends them, "
                "or `jobsentinel outbox flush`",
                waiting,
                self.outbox.path,
            )
