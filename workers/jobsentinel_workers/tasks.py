"""The Celery tasks: each takes a job id, runs the job, and returns its answer. No more."""

from __future__ import annotations

from typing import Any

import msgpack
from celery.exceptions import Ignore, Reject

from jobsentinel.contract.errors import JobFailed
from jobsentinel.contract.tasks import TASKS, TRAINING
from jobsentinel_workers.jobs.lifecycle import NothingToDo, NotTakenUp
from jobsentinel_workers.process import runner_of
from jobsentinel_workers.task_progress import TaskProgress


def register_tasks(app: Any) -> None:
    """Add one Celery task for each task of the contract to ``app``."""
    for task in TASKS.values():
        pool = "training" if task.queue == TRAINING else "inference"
        app.task(_body(pool), name=task.wire_name, bind=True, throws=(JobFailed,), shared=False)


def _body(pool: str) -> Any:
    def run_job(self: Any, job_id: str, summary: str = "") -> Any:
        # ``summary`` is there for people who watch the queue; the ledger has the request.
        del summary
        try:
            packed = runner_of(self.app, pool).run(job_id, TaskProgress(self))
        except NothingToDo:
            # The answer of the worker that does have the job must not be overwritten.
            raise Ignore from None
        except NotTakenUp as stopping:
            raise Reject(stopping, requeue=True) from None
        return msgpack.unpackb(packed)

    return run_job
