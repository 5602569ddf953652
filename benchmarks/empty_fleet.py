"""The fleet with empty tasks: all of the queue and none of the work.

Start it with ``celery -A benchmarks.empty_fleet worker``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from jobsentinel.contract import requests, results
from jobsentinel.contract.base import Message
from jobsentinel.ledger import Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.app import FleetApp, create_app
from jobsentinel_workers.jobs.context import Answer, JobContext, expect
from jobsentinel_workers.jobs.lifecycle import Handler
from jobsentinel_workers.store import Database

_lock = threading.Lock()
_apps: list[FleetApp] = []


class EmptyFleet(FleetApp):
    """Ranks nothing, and stores an empty score for each posting."""

    def make_handlers(self, pool: str, database: Database, ledger: Ledger) -> Mapping[str, Handler]:
        """Return handlers that compute nothing."""
        return {"rerank": _rank_nothing, "score": _score_nothing}


def _rank_nothing(message: Message, context: JobContext) -> Answer:
    expect(message, requests.RerankRequest)
    return Answer(results.RerankResult(ranked=(), candidates=0, timings_ms={}, models=()))


def _score_nothing(message: Message, context: JobContext) -> Answer:
    request = expect(message, requests.ScoreRequest)
    scores = [results.PostingScore(posting_id=posting.id) for posting in request.postings]
    return Answer(results.ScoreResult(scores=tuple(scores)))


def __getattr__(name: str) -> Any:
    if name not in {"app", "celery"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _lock:
        if not _apps:
            _apps.append(create_app(Settings.load(), EmptyFleet))
        return _apps[0]
