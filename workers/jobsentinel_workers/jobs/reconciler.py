"""The reconciler: a thread in every worker that puts back what was lost.

Each turn is one call to the ledger; a short leader lock there keeps all workers but one idle. Jobs
that were given up are written to the store as dead letters here, so that one way serves those a
worker failed and those whose workers vanished.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection

from jobsentinel.contract.errors import QueueUnavailable
from jobsentinel.contract.tasks import QUEUES
from jobsentinel.ledger import DeadJob, Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.jobs.run_rows import RunRows
from jobsentinel_workers.store import Database, dead_letters, postings, runs
from jobsentinel_workers.store.datasets import remove_stale_uploads

logger = logging.getLogger(__name__)

TIDY_INTERVAL_S = 3600.0


class Reconciler:
    """Runs until `stop`; ``on_emptied`` is called when the server has lost its ledger."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        database: Database,
        owner: str,
        *,
        on_emptied: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._database = database
        self._run_rows = RunRows(ledger, database, AuditLog(settings))
        self._owner = owner
        self._on_emptied = on_emptied
        self._epoch: str | None = None
        self._depths: dict[str, int] = {}
        self._tidy_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin; the first turn comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the turn in progress."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.turn()
            except QueueUnavailable as error:
                logger.warning("reconciler.redis_away %s", error)
            except Exception:  # a thread's edge: what broke one turn must not end all others
                logger.exception("reconciler.turn_failed")
            self._stop.wait(self._settings.reconcile_interval_s)

    def turn(self) -> None:
        """Put lost jobs back and bury the dead, if this worker leads now."""
        self._look_at_epoch()
        done = self._ledger.reconcile(
            self._owner,
            leader_s=3 * self._settings.reconcile_interval_s,
            max_attempts=self._settings.max_attempts,
            grace_s=self._settings.lost_message_grace_s,
        )
        if done is None:
            return
        if done.expired or done.resent:
            logger.warning(
                "reconciler.put_back expired=%d due=%d resent=%d",
                done.expired,
                done.due,
                done.resent,
            )
        for job in self._ledger.dead_jobs():
            self._bury(job)
        self._run_rows.follow()
        self._tidy()

    def _tidy(self) -> None:
        """Remove, now and then, uploads that nobody went on with and postings that expired."""
        if time.monotonic() < self._tidy_at:
            return
        self._tidy_at = time.monotonic() + TIDY_INTERVAL_S
        with self._database.begin() as connection:
            removed = remove_stale_uploads(connection)
            expired = self._expire(connection)
        if removed:
            logger.info("reconciler.uploads_removed count=%d", removed)
        if expired:
            logger.info("reconciler.postings_expired count=%d", expired)

    def _expire(self, connection: Connection) -> int:
        days = self._settings.expire_postings_days
        return 0 if days is None else postings.delete_not_seen_for(connection, days)

    def _look_at_epoch(self) -> None:
        """Say what is gone when the server was emptied, by a failover or by hand."""
        epoch, _ = self._ledger.epoch()
        if self._epoch not in (None, epoch):
            logger.critical(
                "ledger.emptied was=%s training_runs=%s: the server lost its jobs; results that "
                "are stored stay; producers with keep_until_done send theirs again",
                json.dumps(self._depths),
                ",".join(self._open_runs()) or "none",
            )
            self._on_emptied()
        self._epoch = epoch
        self._depths = self._ledger.depths(QUEUES)

    def _open_runs(self) -> list[str]:
        with self._database.connect() as connection:
            found = runs.find(connection, state=runs.OPEN_STATES)
        return [run.run_id for run in found]

    def _bury(self, job: DeadJob) -> None:
        with self._database.begin() as connection:
            dead_letters.add(
                connection,
                job_id=job.job_id,
                task=job.task,
                queue=job.queue,
                payload=job.payload,
                reason=job.reason,
                error=job.error,
                traceback=job.traceback,
                attempts=job.attempts,
                versions=job.versions,
            )
            self._run_rows.give_up(connection, job)
        self._ledger.mark_buried(job, ttl_s=self._settings.result_ttl_s)
        logger.error("job.dead job_id=%s task=%s reason=%s", job.job_id, job.task, job.reason)
