"""The fleet's own application with work that needs no model: ``celery -A tests.chaos.fleet_app``.

Everything around the work is the real thing: queue, ledger, leases, reconciler, store, shutdown.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from jobsentinel.contract import requests, results
from jobsentinel.contract.base import Message, dump
from jobsentinel.ledger import Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.app import FleetApp, create_app
from jobsentinel_workers.jobs.context import Answer, JobContext, expect
from jobsentinel_workers.jobs.lifecycle import Handler
from jobsentinel_workers.store import Database
from jobsentinel_workers.store import results as stored_results

from . import effects, traps
from .computations import Work
from .conditions import Conditions

_lock = threading.Lock()
_apps: list[ChaosApp] = []


class ChaosApp(FleetApp):
    """A fleet whose only task is `score`, with an empty score for each posting."""

    def make_handlers(self, pool: str, database: Database, ledger: Ledger) -> Mapping[str, Handler]:
        """Return the work of the suite, whatever the pool."""
        del pool, database, ledger
        return {"score": Scorer(Work(Conditions.from_environment()))}


class Scorer:
    """Computes a job once a call, and stores it as the real handlers do."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, message: Message, context: JobContext) -> Answer:
        request = expect(message, requests.ScoreRequest)
        self._work.compute(context.job_id, context.claim.attempt)
        scores = [results.PostingScore(posting_id=posting.id) for posting in request.postings]

        def store(connection: Connection) -> None:
            stored_results.save(
                connection,
                context.job_id,
                "score",
                [(score.posting_id, dump(score)) for score in scores],
                fencing_token=context.claim.token,
            )
            connection.exec_driver_sql(effects.INSERT, (context.job_id, os.getpid(), time.time()))

        return Answer(results.ScoreResult(scores=tuple(scores)), store)


def _make_app() -> ChaosApp:
    traps.set_traps(Conditions.from_environment())
    app = create_app(Settings.load(), ChaosApp)
    assert isinstance(app, ChaosApp)
    return app


def __getattr__(name: str) -> Any:
    if name not in {"app", "celery"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _lock:
        if not _apps:
            _apps.append(_make_app())
        return _apps[0]
