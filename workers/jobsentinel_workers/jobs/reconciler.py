"""The reconciler: a thread in every worker that puts back what was lost.

Each turn is one call to the ledger; a short leader lock there keeps all workers but one idle. Jobs
that were given up are written to the store as dead letters here, so that one way serves those a
worker failed and those whose workers vanished.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from jobsentinel.contract.errors import QueueUnavailable
from jobsentinel.ledger import DeadJob, Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.store import Database, dead_letters, runs

logger = logging.getLogger(__name__)

OnDead = Callable[[DeadJob], None]


class Reconciler:
    """Runs until `stop`; ``on_dead`` tells Celery's result backend of each job given up."""

    def __init__(
        self, settings: Settings, ledger: Ledger, database: Database, owner: str, on_dead: OnDead
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._database = database
        self._owner = owner
        self._on_dead = on_dead
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
            run = runs.get(connection, job.job_id)
            if run is not None and run.finished_at is None:
                runs.finish(connection, job.job_id, "failed", error=job.error)
        self._ledger.mark_buried(job.job_id, ttl_s=self._settings.result_ttl_s)
        self._on_dead(job)
        logger.error("job.dead job_id=%s task=%s reason=%s", job.job_id, job.task, job.reason)
