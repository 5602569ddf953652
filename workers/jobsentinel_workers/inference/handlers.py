"""The fast pool's work: one handler a task, each from a request to an answer."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from jobsentinel.contract import requests, results
from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.datasets import StoreDatasetRequest
from jobsentinel.contract.loops import CheckLoopsRequest
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.removals import RemovePostingsRequest
from jobsentinel.contract.stored_scores import ReadResultsRequest
from jobsentinel.ledger import Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.audit.label_counts import label_counts
from jobsentinel_workers.datasets.receiving import receive
from jobsentinel_workers.encoders import Runner
from jobsentinel_workers.inference.batcher import Batcher, Lane
from jobsentinel_workers.inference.embeddings import Embedded, embed
from jobsentinel_workers.inference.facts import facts_of, read_stated_salary
from jobsentinel_workers.inference.following import ModelFollower
from jobsentinel_workers.inference.index_encoder import IndexEncoder
from jobsentinel_workers.inference.ranking import Ranking
from jobsentinel_workers.inference.reencoding import reencoder_of
from jobsentinel_workers.inference.removing import remove
from jobsentinel_workers.inference.score_pages import score_page
from jobsentinel_workers.inference.scoring import Scoring, model_text
from jobsentinel_workers.inference.search_indexes import open_indexes
from jobsentinel_workers.inference.selecting import Selecting
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.jobs.context import Answer, JobContext, expect
from jobsentinel_workers.jobs.lifecycle import Handler
from jobsentinel_workers.loop.checking import ask_after_labels
from jobsentinel_workers.loop.notices import Notices
from jobsentinel_workers.loop.turn import Turns
from jobsentinel_workers.models_in_service import models_generation
from jobsentinel_workers.store import Database, labels, posting_facts, postings
from jobsentinel_workers.store import results as stored_results
from jobsentinel_workers.worker_status import tell_index, tell_models

FEW_POSTINGS = 4
"""A request of no more postings than this is urgent, whichever queue it came by."""


def inference_handlers(
    settings: Settings, database: Database, ledger: Ledger
) -> Mapping[str, Handler]:
    """Return the handlers of an inference process, its models loaded and warm."""
    batcher = Batcher(compute_threads=limit_threads(settings))
    models = ServingModels(settings)
    models.warm_up(batcher.runner(Lane.INTERACTIVE))
    ledger.publish_models_generation(models_generation(models.registry))
    follower = ModelFollower(models)
    follower.start()
    indexes = open_indexes(database, settings.pgvector_above)
    reencoder = reencoder_of(
        settings,
        database,
        ledger,
        models.base,
        load=models.loading.load_base,
        runner=batcher.runner(Lane.BULK),
    )
    reencoder.start()
    indexes.warm_up()
    tell_models(models.report)
    tell_index(reencoder.report)
    notices = Notices(lambda: ask_after_labels(settings, database, ledger))
    # A thread inside torch when the interpreter goes would abort the process.
    atexit.register(batcher.stop)
    atexit.register(follower.stop)
    atexit.register(reencoder.stop)
    atexit.register(notices.stop)
    turns = Turns(settings, database, ledger, models.registry, models.base.model_id)
    handlers = InferenceHandlers(
        database,
        models,
        batcher,
        AuditLog(settings),
        reencoder.index,
        on_labels=notices.notice,
    )
    return {**handlers.by_task(), "check_loops": check_loops(turns)}


def check_loops(turns: Turns) -> Handler:
    """Return the handler that looks at circles of labelling and training."""

    def handle(message: Message, context: JobContext) -> Answer:
        del context  # each loop's step is a transaction of its own, which bears being done twice
        return Answer(turns.check(expect(message, CheckLoopsRequest).kinds))

    return handle


def limit_threads(settings: Settings) -> int:
    """Give torch as many threads as the container may use, and numpy one; return torch's.

    Torch would otherwise count the machine's cores. Numpy's products are small here: a second
    thread of its pool costs more in contention with torch than it gains.
    """
    import torch
    from celery.utils.sysinfo import cpu_budget
    from threadpoolctl import threadpool_limits

    threads: int = settings.cpu_threads or cpu_budget(use_cgroup_quota=True).count
    torch.set_num_threads(threads)
    threadpool_limits(1, user_api="blas")
    return threads


class InferenceHandlers:
    """What the handlers of one process share."""

    def __init__(
        self,
        database: Database,
        models: ServingModels,
        batcher: Batcher,
        audit: AuditLog,
        index: IndexEncoder | None = None,
        *,
        on_labels: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._models = models
        self._batcher = batcher
        self._audit = audit
        self._index = index
        self._on_labels = on_labels

    def by_task(self) -> Mapping[str, Handler]:
        """Return the handlers by task name."""
        return {
            "score": self.score,
            "index": self.index,
            "rerank": self.rerank,
            "select": self.select,
            "add_labels": self.add_labels,
            "read_results": self.read_results,
            "remove": self.remove,
            "store_dataset": self.store_dataset,
        }

    def _runner(self, context: JobContext, lane: Lane) -> Runner:
        return self._batcher.runner(lane, context.check)

    def score(self, message: Message, context: JobContext) -> Answer:
        """Predict for each posting, and store postings, embeddings, facts and scores."""
        request = expect(message, requests.ScoreRequest)
        copies = tuple(
            results.PostingScore(posting_id=copy, duplicate_of=original)
            for copy, original in request.copies.items()
        )

        def store_copies(connection: Connection) -> None:
            rows = [(copy.posting_id, dump(copy)) for copy in copies]
            token = context.claim.token
            stored_results.save(connection, context.job_id, "score", rows, fencing_token=token)

        if not request.postings:
            return Answer(results.ScoreResult(scores=copies), store_copies)
        runner = self._runner(context, _lane(len(request.postings)))
        scored = Scoring(self._database, self._models, runner).score(request)
        stated = [score.stated_salary for score in scored.scores]
        facts = list(map(facts_of, request.postings, stated))

        def store(connection: Connection) -> None:
            _store_postings(connection, request.postings, scored.texts, scored.base)
            posting_facts.describe(connection, facts)
            posting_facts.keep_scores(connection, scored.facts())
            scored.own.save(connection)
            if scored.profile is not None:
                scored.profile.save(connection)
            for stamp, scores in scored.by_stamp():
                stored_results.save(
                    connection,
                    context.job_id,
                    "score",
                    [(score.posting_id, dump(score)) for score in scores],
                    fencing_token=context.claim.token,
                    model=dump(stamp),
                )
            store_copies(connection)

        return Answer(results.ScoreResult(scores=(*scored.scores, *copies)), store)

    def index(self, message: Message, context: JobContext) -> Answer:
        """Store postings with their embeddings and facts."""
        request = expect(message, requests.IndexRequest)
        runner = self._runner(context, _lane(len(request.postings)))
        texts = [model_text(posting) for posting in request.postings]
        embedded = embed(self._database, self._models.base, texts, runner)
        stated = map(read_stated_salary, request.postings)
        facts = list(map(facts_of, request.postings, stated))
        sent = len(request.postings)

        def store(connection: Connection) -> Message:
            changed = _store_postings(connection, request.postings, texts, embedded)
            posting_facts.describe(connection, facts)
            return results.IndexResult(indexed=changed, unchanged=sent - changed)

        return Answer(results.IndexResult(indexed=0, unchanged=sent), store)

    def rerank(self, message: Message, context: JobContext) -> Answer:
        """Rank candidates, or the indexed postings, for a query."""
        request = expect(message, requests.RerankRequest)
        runner = self._runner(context, Lane.INTERACTIVE)
        return Answer(Ranking(self._database, self._models, runner, self._index).rank(request))

    def select(self, message: Message, context: JobContext) -> Answer:
        """Choose samples for labelling."""
        request = expect(message, requests.SelectRequest)
        lane = Lane.INTERACTIVE if len(request.samples) <= FEW_POSTINGS else Lane.BULK
        selecting = Selecting(self._database, self._models, self._runner(context, lane))
        result, embedded = selecting.select(request)
        return Answer(result, embedded.save)

    def add_labels(self, message: Message, context: JobContext) -> Answer:
        """Store labels, each annotator's newest answer to each question."""
        request = expect(message, requests.AddLabelsRequest)
        rows = [_label_row(label) for label in request.labels]
        sent = len(rows)

        def store(connection: Connection) -> Message:
            changed = labels.add(connection, rows, job_id=context.job_id)
            if changed:
                counts = label_counts(rows, changed)
                self._audit.record(connection, "labels_changed", context.job_id, counts)
                self._on_labels()
            return results.AddLabelsResult(stored=changed, unchanged=sent - changed)

        return Answer(results.AddLabelsResult(stored=0, unchanged=sent), store)

    def read_results(self, message: Message, context: JobContext) -> Answer:
        """Give a page of stored scores."""
        del context  # reading changes nothing
        return Answer(score_page(self._database, expect(message, ReadResultsRequest)))

    def remove(self, message: Message, context: JobContext) -> Answer:
        """Remove stored postings."""
        del context  # one statement's work: there is no step between which to look
        return remove(expect(message, RemovePostingsRequest))

    def store_dataset(self, message: Message, context: JobContext) -> Answer:
        """Store rows of a dataset for training, or seal it."""
        request = expect(message, StoreDatasetRequest)
        return receive(self._database, request, context.check)


def _lane(postings_sent: int) -> Lane:
    return Lane.INTERACTIVE if postings_sent <= FEW_POSTINGS else Lane.BULK


def _label_row(label: Any) -> dict[str, Any]:
    row = dump(label)
    return {**row, "source": "producer"}


def _store_postings(
    connection: Connection, sent: tuple[Posting, ...], texts: list[str], embedded: Embedded
) -> int:
    embedded.save(connection)
    rows = [
        {**posting.model_dump(), "text": text, "content_hash": key}
        for posting, text, key in zip(sent, texts, embedded.hashes, strict=True)
    ]
    return postings.upsert(connection, rows)
