"""Keeps the leases of one process alive: one thread renews all of them in one call.

A lease counts as lost, here, once it could not be renewed for its whole length: another worker may
own the job from then on. The store checks the fencing token as well, so a paused process that
wakes up late still commits nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jobsentinel.contract.errors import QueueUnavailable
from jobsentinel.ledger import Claim, Ledger
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.jobs.stopping import StopSignal

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews every lease held through `hold` at a third of its length."""

    def __init__(self, ledger: Ledger, lease_s: float, stop: StopSignal | None = None) -> None:
        self._ledger = ledger
        self.stop_signal = stop or StopSignal()
        self._lease_s = lease_s
        self._held: dict[str, JobContext] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._renewed_at = time.monotonic()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[JobContext]:
        """Keep the claim's lease for as long as the block runs."""
        context = JobContext(claim, self._ledger, stop=self.stop_signal)
        with self._lock:
            if not self._held:
                self._renewed_at = time.monotonic()
            self._held[claim.job_id] = context
            self._start()
        try:
            yield context
        finally:
            with self._lock:
                if self._held.get(claim.job_id) is context:
                    del self._held[claim.job_id]

    def held(self) -> list[JobContext]:
        """Return the jobs this process works on."""
        with self._lock:
            return list(self._held.values())

    def stop(self) -> None:
        """End the thread; held leases run out unless their jobs are closed or released."""
        self._stopped = True
        self._wake.set()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._lease_s / 3)
            if not self._stopped:
                self.renew_now()

    def renew_now(self) -> None:
        """Renew all leases held, and pass on what the ledger says of each."""
        contexts = self.held()
        held = [(context.job_id, context.claim.token) for context in contexts]
        try:
            verdicts = self._ledger.renew(held, lease_s=self._lease_s)
        except QueueUnavailable as error:
            self._outage(contexts, error)
            return
        self._renewed_at = time.monotonic()
        for context, verdict in zip(contexts, verdicts, strict=True):
            if verdict == "lost":
                logger.warning("leases.lost job_id=%s", context.job_id)
                context.lease_lost.set()
            elif verdict == "cancel":
                context.cancel_requested.set()

    def _outage(self, contexts: list[JobContext], error: QueueUnavailable) -> None:
        silent_s = time.monotonic() - self._renewed_at
        logger.warning(
            "leases.not_renewed silent_s=%.0f held=%d %s", silent_s, len(contexts), error
        )
        if silent_s > self._lease_s:
            for context in contexts:
                context.lease_lost.set()
