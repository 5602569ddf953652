"""A fleet whose work needs no model, for tests of everything around it: ``-A light_app``.

With ``LIGHT_APP_DEAF=once``, the consumer's first connection stops asking for messages once it is
up, as kombu's sometimes did; the next one asks again. With ``always`` no connection asks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from celery import signals
from kombu.transport.redis import Channel

from jobsentinel.contract import requests, results
from jobsentinel.contract.base import Message
from jobsentinel.ledger import Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.app import FleetApp, create_app
from jobsentinel_workers.jobs.context import Answer, JobContext, expect
from jobsentinel_workers.jobs.lifecycle import Handler
from jobsentinel_workers.store import Database


class LightApp(FleetApp):
    """Answers `score` with empty scores."""

    def make_handlers(self, pool: str, database: Database, ledger: Ledger) -> Mapping[str, Handler]:
        return {"score": empty_scores}


def empty_scores(message: Message, context: JobContext) -> Answer:
    request = expect(message, requests.ScoreRequest)
    scores = tuple(results.PostingScore(posting_id=posting.id) for posting in request.postings)
    return Answer(results.ScoreResult(scores=scores), lambda connection: None)


def _do_nothing(*_: Any, **__: Any) -> None:
    pass


def _stop_asking(sender: Any = None, **_: Any) -> None:
    if sender.restart_count == 0:
        for channel in sender.connection.transport.channels:
            channel._brpop_start = _do_nothing


if os.environ.get("LIGHT_APP_DEAF") == "once":
    signals.worker_ready.connect(_stop_asking, weak=False)
if os.environ.get("LIGHT_APP_DEAF") == "always":
    Channel._brpop_start = _do_nothing

app = create_app(Settings.load(), LightApp)
