"""The producer: how a scraper hands work to the fleet and gets answers back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jobsentinel.contract import limits, requests, results
from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import ConfigurationError
from jobsentinel.contract.loops import CheckLoopsRequest, CheckLoopsResult
from jobsentinel.contract.postings import Candidate, Label, LabelledSample, Sample
from jobsentinel.contract.removals import RemovePostingsRequest, RemovePostingsResult
from jobsentinel.contract.stored_scores import ReadResultsRequest, ReadResultsResult, StoredScore
from jobsentinel.contract.tasks import QUEUES, TASKS
from jobsentinel.deduplication import Deduplicate, Deduplicator, deduplicator
from jobsentinel.dispatch import Dispatch
from jobsentinel.handles import JobHandle
from jobsentinel.intake import Chunk, OnInvalid, PostingLike, to_candidate, to_sample
from jobsentinel.ledger import Ledger, connect
from jobsentinel.score_feed import feed
from jobsentinel.settings import Settings, WhenAway, WhenFull
from jobsentinel.streams import JobStream
from jobsentinel.trainings import Trainings

if TYPE_CHECKING:
    from jobsentinel.contract.datasets import DatasetTask
    from jobsentinel.dataset_sending import DatasetReceipt, OnProgress

R = TypeVar("R", bound=Message)


class Producer:
    """Sends work to the fleet over Redis; safe to share between threads.

    A call that returns has put its jobs into Redis or on disk, where they outlive this process.
    Each returns a handle; nothing here needs torch or numpy. Postings, candidates, samples, labels
    and rows may be given as contract objects or as plain mappings.

    Args:
        redis_url: where the fleet's Redis is; None takes ``JOBSENTINEL_REDIS_URL`` or the embedded
            server of `jobsentinel up`.
        settings: all settings at once, instead of those of the environment.
        when_full, when_away, keep_until_done, name: the settings of these names, the last one being
            ``producer_name``; None leaves them as they are.

    Raises:
        ConfigurationError: no address is given or found, or a setting is malformed.
        OutboxUnavailable: there is an outbox that cannot be read.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        settings: Settings | None = None,
        when_full: WhenFull | None = None,
        when_away: WhenAway | None = None,
        keep_until_done: bool | None = None,
        name: str | None = None,
    ) -> None:
        overrides = {
            "when_full": when_full,
            "when_away": when_away,
            "keep_until_done": keep_until_done,
            "producer_name": name,
        }
        if settings is None:
            settings = Settings.load(redis_url=redis_url, **overrides)
        else:
            settings = settings.changed(**overrides)
        try:
            self._client = connect(settings.resolve_redis_url())
        except ValueError as error:
            raise ConfigurationError(f"redis_url: {error}") from None
        self.ledger = Ledger(self._client, settings.namespace)
        """The ledger this producer writes to."""
        self._dispatch = Dispatch(self.ledger, settings)
        self._trainings = Trainings(self._dispatch)

    def close(self) -> None:
        """Try once more to send what waits in the outbox, and close the connections.

        Handles of this producer stop working.
        """
        try:
            self._dispatch.close()
        finally:
            self._client.close()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inference.

    def score(
        self,
        postings: Iterable[PostingLike],
        *,
        profile: str | None = None,
        models: Sequence[str] = ("multi-task",),
        queue: str | None = None,
        chunk_size: int = limits.DEFAULT_CHUNK_POSTINGS,
        on_invalid: OnInvalid | None = None,
        deadline_s: float | None = None,
        deduplicate: Deduplicate | Deduplicator | None = None,
    ) -> JobStream[results.ScoreResult, results.PostingScore]:
        """Score postings: category, salary, scam, and with a ``profile`` how well each matches it.

        Args:
            postings: any iterable; see `JobStream` for how lists and generators differ.
            profile: a résumé or a description of what is looked for.
            models: the scoring model, and fine-tuned models to be asked as well.
            queue: ``inference.bulk`` by default, ``inference.interactive`` for a single posting.
            on_invalid: called with the position and the error of a posting that breaks the
                contract, which is then left out; None raises the error.
            deadline_s: seconds after which an answer is of no use: what is not done by then is a
                dead letter, ``expired``.
            deduplicate: ``exact`` or ``near`` scores one of several copies, and the others point to
                it by ``duplicate_of``; a `Deduplicator` remembers over several calls.

        Raises:
            InvalidInput: names the field of the first bad posting. Of a list, nothing was sent.
            QueueFull: the queue is full, or the rate is used up, and waiting did not help; what
                was sent before stays, and the same call again goes on behind it.
            QueueUnavailable: Redis cannot be reached, and ``when_away`` is ``raise``.
            OutboxFull: the job had to wait on disk, and there is no room.
        """

        def request(chunk: Chunk) -> Message:
            return requests.ScoreRequest.parse(
                {
                    "postings": tuple(chunk.postings),
                    "profile": profile,
                    "models": tuple(models),
                    "copies": chunk.copies,
                }
            )

        return self._dispatch.stream(
            "score",
            postings,
            request,
            _scores,
            queue=queue,
            size=chunk_size,
            on_invalid=on_invalid,
            deadline_s=deadline_s,
            deduplicator=deduplicator(deduplicate),
        )

    def index(
        self,
        postings: Iterable[PostingLike],
        *,
        queue: str | None = None,
        chunk_size: int = limits.DEFAULT_CHUNK_POSTINGS,
        on_invalid: OnInvalid | None = None,
        deadline_s: float | None = None,
    ) -> JobStream[results.IndexResult, results.IndexResult]:
        """Store postings with their embeddings, so that `rerank` finds them. As `score`."""

        def request(chunk: Chunk) -> Message:
            return requests.IndexRequest.parse({"postings": tuple(chunk.postings)})

        return self._dispatch.stream(
            "index",
            postings,
            request,
            _itself,
            queue=queue,
            size=chunk_size,
            on_invalid=on_invalid,
            deadline_s=deadline_s,
        )

    def rerank(
        self,
        query: str,
        candidates: Iterable[PostingLike | Candidate] | None = None,
        *,
        initial_top_k: int = 100,
        final_top_k: int = 20,
        bi_encoder: str | None = None,
        first_stage: str = "hybrid",
        where: str | None = None,
        collapse_duplicates: bool = True,
        diversity: float | None = None,
        idempotency_key: str | None = None,
        deadline_s: float | None = None,
    ) -> JobHandle[results.RerankResult]:
        """Rank candidates, or all indexed postings, for a query such as a résumé.

        Args:
            query: the text to rank for.
            candidates: postings or texts with an id, at most `limits.MAX_CANDIDATES`; None ranks
                what `index` has stored.
            initial_top_k: how many the first stage passes on to the cross-encoder.
            final_top_k: length of the ranking.
            bi_encoder: a similarity model of the user's own, for candidates that are sent.
            first_stage: ``hybrid``, ``dense`` (embeddings) or ``lexical`` (words).
            where: which indexed postings are looked at, such as ``remote = true``.
            collapse_duplicates: whether of several copies the best one stands for all.
            diversity: from 0 (score alone) to 1, how much variety counts; None, not at all.
            idempotency_key: names the job. By default what is asked of given candidates does, and
                each request to the index is a new job, for the index changes.
            deadline_s: seconds after which the answer is of no use.

        Raises:
            InvalidInput: names the field.
            QueueFull, QueueUnavailable, OutboxFull: as `score`.
        """
        request = requests.RerankRequest.parse(
            {
                "query": query,
                "candidates": None if candidates is None else _candidates(candidates),
                "initial_top_k": initial_top_k,
                "final_top_k": final_top_k,
                "bi_encoder": bi_encoder,
                "first_stage": first_stage,
                "where": where,
                "collapse_duplicates": collapse_duplicates,
                "diversity": diversity,
            }
        )
        return self._dispatch.send(
            "rerank", request, results.RerankResult, key=idempotency_key, deadline_s=deadline_s
        )

    def select(
        self,
        samples: Iterable[PostingLike | Sample],
        *,
        strategy: str = "margin",
        num_samples: int = 10,
        model: str = "multi-task",
        seed: int = 0,
        random_share: float = 0.1,
        task: str = "category",
        committee: Sequence[str] = (),
        labelled: Iterable[LabelledSample | Mapping[str, Any]] = (),
        idempotency_key: str | None = None,
        deadline_s: float | None = None,
    ) -> JobHandle[results.SelectResult]:
        """Choose the samples that are most worth a human's label. Errors as `rerank`.

        Args:
            random_share: part of the batch that is drawn evenly, to judge the model by.
            task: ``category``, ``scam`` or ``salary``: which answers of the scoring model count.
            committee: models whose disagreement counts, for strategies that ask a committee.
            labelled: what is labelled already, as ``text`` and, if a number, ``value``.
        """
        request = requests.SelectRequest.parse(
            {
                "samples": tuple(map(to_sample, samples)),
                "strategy": strategy,
                "num_samples": num_samples,
                "model": model,
                "seed": seed,
                "random_share": random_share,
                "task": task,
                "committee": tuple(committee),
                "labelled": tuple(labelled),
            }
        )
        return self._dispatch.send(
            "select", request, results.SelectResult, key=idempotency_key, deadline_s=deadline_s
        )

    def add_labels(
        self, labels: Iterable[Label | Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> JobHandle[results.AddLabelsResult]:
        """Store people's answers about postings. Errors as `rerank`."""
        request = requests.AddLabelsRequest.parse({"labels": tuple(labels)})
        return self._dispatch.send(
            "add_labels", request, results.AddLabelsResult, key=idempotency_key
        )

    def remove(
        self,
        ids: Iterable[str] | None = None,
        *,
        posted_before: str | None = None,
        not_seen_for_days: float | None = None,
        idempotency_key: str | None = None,
    ) -> JobHandle[RemovePostingsResult]:
        """Remove stored postings: those of ``ids``, or those of an age; give one of the three.

        Their results and labels stay. A posting that is sent again is a new one.

        Args:
            ids: 1 to 10,000.
            posted_before: a day such as ``2026-11-01``; those that say no day stay.
            not_seen_for_days: how long a posting has not come, changed or unchanged; at least 1.
            idempotency_key: as everywhere; without one each call is a job of its own.

        Raises:
            InvalidInput: names the field.
            QueueFull, QueueUnavailable, OutboxFull: as `score`.
        """
        request = RemovePostingsRequest.parse(
            {
                "ids": None if ids is None else tuple(ids),
                "posted_before": posted_before,
                "not_seen_for_days": not_seen_for_days,
            }
        )
        return self._dispatch.send("remove", request, RemovePostingsResult, key=idempotency_key)

    # Training.

    def fine_tune(
        self,
        name: str,
        rows: Iterable[Mapping[str, Any] | Message] | None = None,
        *,
        task: str = "classification",
        idempotency_key: str | None = None,
        **options: Any,
    ) -> JobHandle[results.TrainResult]:
        """Train a model on ``rows`` or on a ``dataset``; ``options`` as `FineTuneRequest`.

        The new version goes into service under ``name`` if the gate lets it pass and unless
        ``promote=False``. Errors as `rerank`.
        """
        return self._trainings.fine_tune(name, rows, idempotency_key, {"task": task, **options})

    def train_multi_task(
        self,
        rows: Iterable[Mapping[str, Any] | Message] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> JobHandle[results.TrainResult]:
        """Train the scoring model on ``rows``, or on the stored labels; as `fine_tune`."""
        return self._trainings.train_multi_task(rows, idempotency_key, options)

    def check_loops(self, kinds: Iterable[str] | None = None) -> JobHandle[CheckLoopsResult]:
        """Let the fleet see now whether the loops of these kinds of label, or all, need training.

        Raises:
            InvalidInput: a kind is none; there is no loop for one, once it is worked on.
            QueueFull, QueueUnavailable, OutboxFull: as `score`.
        """
        request = CheckLoopsRequest.parse({"kinds": None if kinds is None else tuple(kinds)})
        return self._dispatch.send("check_loops", request, CheckLoopsResult)

    def send_dataset(
        self,
        source: str | Path | Iterable[Mapping[str, Any]],
        task: DatasetTask = "classification",
        name: str | None = None,
        *,
        chunk_rows: int = 1_000,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        wait: Callable[[JobHandle[Any]], Any] | None = None,
    ) -> DatasetReceipt:
        """Store rows for trainings, and return their receipt once all of them are there.

        A call that was broken off is repeated: only what lacks is sent. Sending a dataset twice
        stores it once.

        Args:
            source: mappings as `fine_tune` or `train_multi_task` takes them, or a path: JSON Lines,
                CSV (both also with ``.gz``), Parquet, or a folder of Hugging Face's
                ``save_to_disk``. A file is read row by row, twice.
            task: what the rows are for: ``classification``, ``regression``, ``similarity`` or
                ``multi-task``.
            name: for people; the first name a dataset is sent under stays.
            chunk_rows: rows a message; long texts make it fewer.
            timeout_s: for each answer; None waits until a worker comes.
            on_progress: called with the rows stored so far, and of how many.
            wait: waits for the answer of a handle, in the place of `JobHandle.result`.

        Raises:
            InvalidInput: names file, line and field of the first bad row; nothing was sent.
            ConfigurationError: the file needs a package that is not installed.
            ResultTimeout, JobFailed, JobCancelled: as `JobHandle.result`.
            QueueFull, QueueUnavailable, OutboxFull: as `score`.
        """
        return self._trainings.send_dataset(
            source,
            task,
            name,
            chunk_rows=chunk_rows,
            wait=wait or (lambda handle: handle.result(timeout_s)),
            on_progress=on_progress,
        )

    # Looking.

    def stream_results(
        self, since: int = 0, *, follow: bool = False, timeout_s: float | None = None
    ) -> Iterator[StoredScore]:
        """Yield the scores in the store, of whoever's postings, in the order in which they came.

        Args:
            since: the ``change_seq`` of the last score you have; 0 begins with the first.
            follow: go on without end, waiting for new scores.
            timeout_s: for each page that the fleet reads; None waits until a worker comes.

        Raises:
            QueueUnavailable: Redis went away; call again with the last ``change_seq``.
            ResultTimeout, JobFailed: as `JobHandle.result`.
        """
        request = ReadResultsRequest.parse({"since": since})

        def read(behind: int) -> ReadResultsResult:
            page = request.model_copy(update={"since": behind})
            return self._dispatch.send("read_results", page, ReadResultsResult).result(timeout_s)

        return feed(self._client, self.ledger.prefix, read, since=since, follow=follow)

    def depths(self) -> dict[str, int]:
        """Return how many messages wait in each queue, and how many jobs run or are dead."""
        return self.ledger.depths(QUEUES)

    def handle(self, job_id: str, task: str) -> JobHandle[Any]:
        """Return the handle of a job sent earlier, perhaps by another process."""
        return self._dispatch.handle(job_id, TASKS[task].result)


def _candidates(items: Iterable[PostingLike | Candidate]) -> tuple[Candidate, ...]:
    # One more than a request may hold is enough to be refused, of however many there are.
    return tuple(map(to_candidate, islice(items, limits.MAX_CANDIDATES + 1)))


def _scores(result: results.ScoreResult) -> tuple[results.PostingScore, ...]:
    return result.scores


def _itself(result: R) -> tuple[R, ...]:
    return (result,)
