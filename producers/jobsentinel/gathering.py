"""Postings that come one at a time, sent in chunks by a thread of its own.

Whoever hands a posting over is told when it is safe: in the journal, on disk. While a chunk cannot
be sent because the queue is full, nothing more is taken over, so that the source has to wait.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jobsentinel.backpressure import GrowingPause
from jobsentinel.contract.errors import OutboxUnavailable, QueueFull, QueueUnavailable
from jobsentinel.contract.postings import Posting
from jobsentinel.journal import Chunk, Journal

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S: Final = 1.0

Taken = Callable[[Sequence[Any], Exception | None], None]
Send = Callable[[Sequence[Posting]], int]


@dataclass
class Counts:
    """What became of the postings so far."""

    taken: int = 0
    """Postings that were not there before."""
    repeated: int = 0
    """Those that were there, waiting or sent."""
    sent: int = 0
    jobs: int = 0
    held_up: int = 0
    """How often a chunk had to wait for room."""


class Gatherer:
    """Takes postings from any thread, keeps them in ``journal`` and sends them in its own thread.

    Args:
        journal: where they wait; `close` closes it.
        send: sends postings and returns the number of jobs; asked again after `QueueFull`,
            `QueueUnavailable` and `OutboxUnavailable`.
        taken: called from the thread with the tokens of postings that are on disk now, or with
            the error that kept them from it.
        chunk_size: postings sent at once.
        linger_s: after so long a chunk leaves though it is not full.
        give_up: asked while a chunk is held up, whether to leave it in the journal from now on.
        patience_s: for how long a chunk may be held up once the gatherer is being closed.
    """

    def __init__(
        self,
        journal: Journal,
        send: Send,
        taken: Taken,
        *,
        chunk_size: int,
        linger_s: float,
        give_up: Callable[[], bool] = lambda: False,
        patience_s: float = 0.0,
    ) -> None:
        self._journal = journal
        self._send = send
        self._taken = taken
        self._size = chunk_size
        self._linger_s = linger_s
        self._give_up = give_up
        self._patience_s = patience_s
        self._coming: list[tuple[Posting, Any]] = []
        self._changed = threading.Condition()
        self._closing_since: float | None = None
        self._broken: Exception | None = None
        self._leave_at: float | None = None
        self.counts = Counts()
        self._thread = threading.Thread(target=self._run, name="gatherer", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier crawl has left."""
        self._thread.start()

    def put(self, posting: Posting, token: object) -> None:
        """Hand a posting over; ``taken`` is called with the token once it is on disk.

        Raises:
            Exception: the one that ended the thread.
        """
        with self._changed:
            if self._broken is not None:
                raise self._broken
            self._coming.append((posting, token))
            self._changed.notify()

    def finish(self) -> int:
        """Send the rest and end the thread; return how many postings stay in the journal."""
        with self._changed:
            self._closing_since = time.monotonic()
            self._changed.notify()
        self._thread.join()
        return self._journal.waiting()

    def close(self, *, forget: bool) -> None:
        """Close the journal; with ``forget``, the next crawl sends again what this one has sent."""
        try:
            if forget:
                self._journal.forget()
        finally:
            self._journal.close()

    def _run(self) -> None:
        try:
            self._leave_at = time.monotonic()
            self._send_chunks(partly=True)  # what an earlier crawl has left
            while self._turn():
                pass
        except Exception as error:  # a thread's edge: whoever waits must hear of it
            logger.exception("gatherer.broken path=%s", self._journal.path)
            with self._changed:
                self._broken = error
                lost, self._coming = self._coming, []
            self._taken([token for _, token in lost], error)

    def _turn(self) -> bool:
        """Take over what has come and send what is due; False when all is done."""
        coming, closing = self._next()
        self._take(coming)
        due = self._leave_at is not None and time.monotonic() >= self._leave_at
        sent_all = self._send_chunks(partly=due or (closing and not coming))
        if due and sent_all:
            self._leave_at = None
        return not closing or bool(coming)

    def _next(self) -> tuple[list[tuple[Posting, Any]], bool]:
        with self._changed:
            if not self._coming and self._closing_since is None:
                left_s = None if self._leave_at is None else self._leave_at - time.monotonic()
                if left_s is None or left_s > 0:
                    self._changed.wait(left_s)
            coming, self._coming = self._coming, []
            return coming, self._closing_since is not None

    def _take(self, coming: Sequence[tuple[Posting, Any]]) -> None:
        if not coming:
            return
        tokens = [token for _, token in coming]
        try:
            new = self._journal.add([posting for posting, _ in coming])
        except OutboxUnavailable as error:
            self._taken(tokens, error)
            return
        self.counts.taken += new
        self.counts.repeated += len(coming) - new
        if self._leave_at is None:
            self._leave_at = time.monotonic() + self._linger_s
        self._taken(tokens, None)

    def _send_chunks(self, *, partly: bool) -> bool:
        """Send chunks for as long as there are any; False when the rest stays for now."""
        while chunk := self._journal.next_chunk(self._size, partly=partly):
            if not self._send_chunk(chunk):
                return False
            self._journal.settle(chunk)
            self.counts.sent += len(chunk.postings)
            self._leave_at = time.monotonic() + self._linger_s
        return True

    def _send_chunk(self, chunk: Chunk) -> bool:
        pauses = GrowingPause(_LONGEST_PAUSE_S)
        told = False
        while True:
            try:
                self.counts.jobs += self._send(chunk.postings)
                return True
            except (QueueFull, QueueUnavailable, OutboxUnavailable) as error:
                if not told:
                    told = True
                    self.counts.held_up += 1
                    logger.warning("gatherer.held_up postings=%d: %s", len(chunk.postings), error)
                if self._may_leave():
                    return False
            time.sleep(pauses.next_s())

    def _may_leave(self) -> bool:
        if self._give_up():
            return True
        since = self._closing_since
        return since is not None and time.monotonic() - since >= self._patience_s
