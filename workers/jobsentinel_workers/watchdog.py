"""A thread that notices when a worker has stopped consuming, and makes it connect anew.

Celery's consumer can lose touch with Redis without an error: it then sits idle beside a full
queue. That shows from outside: messages wait in a queue, and this worker has none in hand and has
taken none for a while.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from celery import signals
from celery.worker import state as worker_state

from jobsentinel.contract.errors import QueueUnavailable
from jobsentinel.ledger import Ledger
from jobsentinel_workers.jobs.stopping import StopSignal

logger = logging.getLogger(__name__)

LOOKS_A_PERIOD: Final = 6


class StallDetector:
    """Says which queues have waited for a whole period while nothing was in hand or came."""

    def __init__(self, queues: Sequence[str], period_s: float) -> None:
        self._period_s = period_s
        self._moved_at: dict[str, float] = dict.fromkeys(queues, time.monotonic())

    def moved(self, queue: str) -> None:
        """A message of the queue came, or there was none to come."""
        self._moved_at[queue] = time.monotonic()

    def look(self, waiting: Mapping[str, int], in_hand: Mapping[str, int]) -> list[str]:
        """Take note of how many messages wait and are worked on; return the stalled queues."""
        for queue in self._moved_at:
            if not waiting.get(queue) or in_hand.get(queue):
                self.moved(queue)
        now = time.monotonic()
        return [queue for queue, at in self._moved_at.items() if now - at > self._period_s]


class Watchdog:
    """Looks until `stop`; at a stall it says so and restarts the consumer.

    When that does not help it cuts the connections, and when that does not help either it ends
    the worker as SIGTERM does, for whoever runs it to start it again.
    """

    def __init__(
        self,
        worker: Any,
        ledger: Ledger,
        queues: Sequence[str],
        *,
        period_s: float,
        stop_signal: StopSignal,
    ) -> None:
        self._stop_signal = stop_signal
        self._worker = worker
        self._ledger = ledger
        self._queues = queues
        self._interval_s = period_s / LOOKS_A_PERIOD
        self._detector = StallDetector(queues, period_s)
        self._remedies: list[Callable[[], None]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        signals.task_received.connect(self._on_received, weak=False)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        signals.task_received.disconnect(self._on_received)
        self._stopped.set()

    def _on_received(self, request: Any = None, **_: Any) -> None:
        self._detector.moved(_queue_of(request))
        self._remedies.clear()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                stalled = self._look()
                if stalled and not self._stop_signal.began:
                    self._help(stalled)
            except QueueUnavailable:
                continue  # nobody can consume now; the consumer says so itself
            except Exception:  # a thread's edge: what broke one look must not end all others
                logger.exception("watchdog.look_failed")

    def _look(self) -> list[str]:
        waiting = self._ledger.depths(self._queues)
        return self._detector.look(waiting, Counter(map(_queue_of, _requests_in_hand())))

    def _help(self, stalled: list[str]) -> None:
        if not self._remedies:
            self._remedies = [self._end_worker, self._cut_connections, self._restart_consumer]
        remedy = self._remedies.pop()
        logger.error("watchdog.stalled queues=%s then=%s", ",".join(stalled), remedy.__name__)
        remedy()
        for queue in self._queues:
            self._detector.moved(queue)

    def _restart_consumer(self) -> None:
        def break_off() -> None:
            raise ConnectionResetError("the watchdog restarts the consumer")

        self._worker.consumer.call_soon(break_off)

    def _cut_connections(self) -> None:
        for client in _clients_of(self._worker.consumer.connection):
            if client.connection is not None and client.connection._sock is not None:
                client.connection._sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _end_worker() -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def _requests_in_hand() -> list[Any]:
    while True:
        try:
            return list(worker_state.reserved_requests)
        except RuntimeError:  # the consumer's thread changed the set meanwhile
            continue


def _queue_of(request: Any) -> str:
    return str((request.delivery_info or {}).get("routing_key", ""))


def _clients_of(connection: Any) -> list[Any]:
    """Return the clients with which kombu waits for messages; it makes them when first asked."""
    made = [vars(channel) for channel in connection.transport.channels or ()]
    return [held[name] for held in made for name in ("client", "subclient") if name in held]
