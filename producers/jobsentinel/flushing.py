"""Sending what waits in the outbox, and looking after the jobs that are kept there until done.

Jobs of one queue leave in the order in which they came; a queue that is full does not hold up the
others. Each is sent under its own submission, so that a crash between sending and settling changes
nothing, and only one process sends at a time. Should a job be sent again after the ledger has
forgotten its end, it is worked on again, and the store keeps the first answer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jobsentinel.backpressure import Gate
from jobsentinel.contract.errors import QueueUnavailable
from jobsentinel.ledger import CLOSED_STATES, Ledger, Refusal
from jobsentinel.outbox import Outbox, Waiting
from jobsentinel.settings import Settings

logger = logging.getLogger(__name__)

_NAMED: Final = 5
"""How many jobs a line of the log names."""


@dataclass(frozen=True, slots=True)
class Flushed:
    """What one attempt to send everything came to."""

    sent: int = 0
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """Why jobs stay, by their queue."""
    away: QueueUnavailable | None = None
    busy: bool = False
    """Another process, or another thread, is sending."""

    def is_whole(self) -> bool:
        """Whether nothing was left that could be sent."""
        return not (self.refusals or self.away or self.busy)

    def refusal(self, queue: str) -> Refusal | None:
        """Return what holds up jobs of a queue: its depth, or the rate, which is one for all."""
        rate_s = self.rate_wait_s()
        return self.refusals.get(queue) if rate_s is None else Refusal(rate_s)

    def rate_wait_s(self) -> float | None:
        """Return for how long the rate is used up; None when it is not."""
        waits = (refusal.wait_s for refusal in self.refusals.values())
        return next((wait_s for wait_s in waits if wait_s is not None), None)


def outbox_of(settings: Settings, *, fsync: bool | None = None) -> Outbox:
    """Return the outbox of these settings; nothing is opened yet."""
    wanted = settings.outbox_fsync if fsync is None else fsync
    return Outbox(settings.outbox_file, max_bytes=settings.outbox_max_bytes, fsync=wanted)


class Flusher:
    """Sends what waits in the outbox of these settings, as far as the queues let it in.

    Raises:
        OutboxUnavailable: from any method, when the file cannot be used; what was sent stays sent.
    """

    def __init__(self, ledger: Ledger, gate: Gate, settings: Settings) -> None:
        self._ledger = ledger
        self._gate = gate
        # Forgetting in a power cut what was settled is harmless, and each fsync takes its time.
        self._outbox = outbox_of(settings, fsync=False)
        self._cancel_ttl_s = settings.result_ttl_s

    def flush(self) -> Flushed:
        """Send what can be sent now."""
        with self._outbox.one_sender() as alone:
            return self._send_all() if alone else Flushed(busy=True)

    def look_after(self) -> Flushed:
        """Send again what the ledger has lost, and all that waits."""
        try:
            self.check()
        except QueueUnavailable as error:
            return Flushed(away=error)
        return self.flush()

    def _send_all(self) -> Flushed:
        refusals: dict[str, Refusal] = {}
        sent = place = 0
        while row := self._outbox.next_waiting(after=place, without=list(refusals)):
            try:
                refusal = self._gate.offer(row.job)
                if refusal is None:
                    self.settle(row)
            except QueueUnavailable as error:
                return Flushed(sent, away=error)
            if refusal is None:
                sent += 1
            else:
                refusals[row.job.queue] = refusal
                if refusal.wait_s is not None:
                    break
            place = row.seq
        if sent and self._outbox.is_empty():
            self._outbox.shrink()
        return Flushed(sent, refusals)

    def settle(self, row: Waiting) -> None:
        """Drop or keep a job that was sent.

        Raises:
            QueueUnavailable: somebody cancelled it while it was on its way, and Redis is gone.
        """
        if not self._outbox.settle(row.seq):
            self._ledger.cancel(row.job.job_id, ttl_s=self._cancel_ttl_s)

    def check(self) -> None:
        """Ask what became of kept jobs: forget those that ended, let the lost ones wait again.

        Raises:
            QueueUnavailable: Redis cannot be reached.
        """
        with self._outbox.one_sender() as alone:
            if alone:
                self._check_all()

    def _check_all(self) -> None:
        lost: list[str] = []
        place = 0
        while rows := self._outbox.kept(after=place):
            states = self._ledger.states([job_id for _, job_id in rows])
            known = list(zip(rows, states, strict=True))
            gone = [row for row, state in known if state == "unknown"]
            self._outbox.forget([seq for (seq, _), state in known if state in CLOSED_STATES])
            self._outbox.send_again([seq for seq, _ in gone])
            lost += [job_id for _, job_id in gone]
            place = rows[-1][0]
        if lost:
            logger.warning(
                "outbox.sent_again jobs=%d job_ids=%s%s: the ledger did not know them any more, "
                "for the server lost them or was emptied",
                len(lost),
                ",".join(lost[:_NAMED]),
                ",..." if len(lost) > _NAMED else "",
            )

    def close(self) -> None:
        """Close the file."""
        self._outbox.close()
