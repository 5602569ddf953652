"""The labelling loop: choose samples, take labels, say when to train again.

Labels are kept in the process, or in a store that several people and processes share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.checks import check_count, check_seed, check_share
from jobsentinel_workers.active_learning.known_strategies import strategy_named
from jobsentinel_workers.active_learning.label_memory import Batch, Handout, LabelMemory, Taken
from jobsentinel_workers.active_learning.predictions import (
    LabelledSamples,
    Models,
    PoolArrays,
    Predictor,
    pool_arrays,
    task_of,
)
from jobsentinel_workers.active_learning.process_labels import ProcessLabels
from jobsentinel_workers.active_learning.query_strategy import Need, QueryStrategy
from jobsentinel_workers.active_learning.random_share import RANDOM_SHARE
from jobsentinel_workers.active_learning.retraining import RetrainingDecision, RetrainingTrigger
from jobsentinel_workers.active_learning.sample_checks import (
    check_labels,
    refuse_missing,
    refuse_repeated_ids,
)
from jobsentinel_workers.active_learning.samples import Label, QueryResult, Sample
from jobsentinel_workers.active_learning.selection import Selection, select

if TYPE_CHECKING:
    from jobsentinel_workers.audit import AuditLog
    from jobsentinel_workers.store import Database

RESERVE_FOR_S: Final = 3_600.0
_SECONDS_A_DAY: Final = 86_400.0


class ActiveLearningManager:
    """Chooses what to label next and keeps the labels, in this process or in a store.

    Probabilities, values and embeddings that samples lack come from ``predictor``; without one,
    the starter multi-task model is loaded when first needed.

    With a store, samples are stored postings (see `labelling.stored_pool`). What is handed out is
    reserved for ``annotator``, so that nobody else gets it; labels are shared by all managers of
    the store and survive this one.

    Args:
        batch_size: samples a query when it does not say.
        strategy: a name of `QueryStrategy`, or one that an installed package adds.
        task: the task whose class probabilities, or values, count; by default that of ``kind``.
        committee: models whose disagreement counts, for strategies that ask a committee.
        random_share: part of each batch that is drawn evenly, to judge the model by.
        now: the clock, in UTC.
        store: where labels are kept; None keeps them in the process.
        kind: of label, such as ``category``; a store needs it.
        annotator: who labels; a store needs it.
        reserve_for_s: how long nobody else is given what was handed out.
        audit: the log in which a store's changes of labels are entered.

    Example:
        >>> manager = ActiveLearningManager(strategy=QueryStrategy.RANDOM, batch_size=1)
        >>> result = manager.select_samples([Sample("a", "Cook"), Sample("b", "Nurse")])
        >>> manager.add_labels(result.selected_samples, ["healthcare"])
        1
    """

    def __init__(
        self,
        strategy: QueryStrategy | str = QueryStrategy.MARGIN,
        batch_size: int = 10,
        predictor: Predictor | None = None,
        *,
        task: str | None = None,
        committee: Sequence[Predictor] = (),
        seed: int = 0,
        random_share: float = RANDOM_SHARE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        store: Database | None = None,
        kind: str | None = None,
        annotator: str | None = None,
        reserve_for_s: float = RESERVE_FOR_S,
        audit: AuditLog | None = None,
    ) -> None:
        self._strategy = strategy_named(str(strategy))
        self.strategy = str(strategy)
        self.batch_size = check_count(batch_size, "batch_size")
        self.task = task or task_of(kind or "category")
        self.seed = check_seed(seed)
        self.random_share = check_share(random_share, "random_share")
        self._models = Models(self._get_predictor, self.task, committee)
        self._predictor = predictor
        self._now = now
        self._queries = 0
        self._memory: LabelMemory = ProcessLabels(now)
        if store is not None:
            self._memory = _stored_labels(
                store,
                kind=_needed(kind, "kind"),
                annotator=_needed(annotator, "annotator"),
                reserve_for_s=reserve_for_s,
                audit=audit,
                now=now,
            )

    def select_samples(self, pool: Sequence[Sample], num_samples: int | None = None) -> QueryResult:
        """Choose up to ``num_samples`` of the pool; those that have a label are no candidates.

        The same pool, labels and seed give the same answer, in whatever order the pool is. An
        empty pool, or one that is labelled whole, gives an empty answer. With a store, what others
        were given is no candidate either, and the answer is reserved whole: if somebody is quicker
        with a part of it, the next best come in its place.

        Raises:
            InvalidInput: a count below 1, an id twice, probabilities that are none, embeddings of
                several widths, a sample that is not in the store.
            ModelUnavailable: something must be computed and the model cannot.
        """
        count = check_count(self.batch_size if num_samples is None else num_samples, "num_samples")
        refuse_repeated_ids(pool)
        taken = self._memory.taken(pool)
        refuse_missing(pool, taken.missing, "pool")
        candidates = [sample for sample in pool if sample.id not in taken]
        arrays = pool_arrays(candidates, self._strategy, self._models, self._labelled(candidates))
        elapsed_s = 0.0
        while True:
            started = time.perf_counter()
            selection = self._choose(candidates, arrays, count)
            elapsed_s += time.perf_counter() - started
            handout = self._memory.hand_out(_batch(self.strategy, candidates, arrays, selection))
            if handout is not None:
                break
            # Somebody took a part between the look and the reservation, so look again.
            taken = self._memory.taken(pool)
            free = [row for row, sample in enumerate(candidates) if sample.id not in taken]
            candidates, arrays = [candidates[row] for row in free], arrays.at(free)
        self._queries += 1
        return self._result(
            pool, taken, candidates, selection, handout=handout, elapsed_s=elapsed_s
        )

    def add_labels(
        self,
        samples: Sequence[Sample],
        labels: Sequence[Label],
        *,
        seconds_spent: Sequence[float | None] | None = None,
    ) -> int:
        """Keep one label a sample; a new label for the same id replaces the old one.

        Returns how many labels are new or changed. Either all are kept or, on an error, none. A
        store replaces the annotator's own label only, keeps with each what had chosen its sample,
        and ends the reservation.

        Args:
            seconds_spent: on each label, or None where nobody knows; a store keeps it.

        Raises:
            InvalidInput: more samples than labels or fewer, or a label that is no plain value; with
                a store, one that does not fit its kind, or a sample that is not stored.
        """
        spent = [None] * len(labels) if seconds_spent is None else list(seconds_spent)
        check_labels(samples, labels, spent)
        return self._memory.add(samples, labels, spent)

    def should_retrain(self, trigger: RetrainingTrigger | None = None) -> bool:
        """Return whether the labels since the last training call for another."""
        return self.retraining_decision(trigger).due

    def retraining_decision(self, trigger: RetrainingTrigger | None = None) -> RetrainingDecision:
        """Return whether to train again, with the reason."""
        progress = self._memory.progress()
        waited = (self._now() - progress.waiting_since).total_seconds() / _SECONDS_A_DAY
        return (trigger or RetrainingTrigger()).decide(
            new_labels=progress.new_labels,
            days_since_training=waited,
            classes=len(progress.label_counts),
        )

    def mark_retrained(self, *, last_label_seq: int | None = None) -> None:
        """Note that a model was trained on the labels so far: counting starts anew.

        Args:
            last_label_seq: with a store, the number of the snapshot that was trained on: what was
                labelled while the training ran stays new.
        """
        self._memory.mark_retrained(last_label_seq)

    def labels(self) -> dict[str, Label]:
        """Return the labels by sample id; of several annotators' the newest."""
        return self._memory.labels()

    def get_statistics(self) -> dict[str, Any]:
        """Return what was asked of this manager, and what was labelled and trained so far."""
        progress = self._memory.progress()
        return {
            "strategy": self.strategy,
            "batch_size": self.batch_size,
            "queries": self._queries,
            "total_labels": progress.total_labels,
            "new_labels": progress.new_labels,
            "label_counts": dict(progress.label_counts),
            "waiting_since": progress.waiting_since.isoformat(),
            **progress.details,
        }

    def _labelled(self, candidates: Sequence[Sample]) -> LabelledSamples:
        # A draw looks at nothing, so nothing is read for it.
        if Need.EMBEDDINGS not in self._strategy.needs | self._strategy.uses:
            return LabelledSamples()
        return self._memory.labelled(candidates)

    def _choose(self, candidates: Sequence[Sample], arrays: PoolArrays, count: int) -> Selection:
        return select(
            self.strategy,
            num_samples=count,
            class_names=arrays.class_names,
            ids=[sample.id for sample in candidates],
            seed=self.seed,
            random_share=self.random_share,
            **arrays.arguments,
        )

    def _result(
        self,
        pool: Sequence[Sample],
        taken: Taken,
        candidates: Sequence[Sample],
        selection: Selection,
        *,
        handout: Handout,
        elapsed_s: float,
    ) -> QueryResult:
        return QueryResult(
            selected_samples=[candidates[index] for index in selection.indices],
            reasons=[pick.reason for pick in selection.picks],
            scores={
                sample.id: float(score)
                for sample, score in zip(candidates, selection.scores, strict=True)
            },
            strategy=self.strategy,
            seed=self.seed,
            num_candidates=len(candidates),
            already_labelled=[sample.id for sample in pool if sample.id in taken.labelled],
            selection_time_ms=elapsed_s * 1_000,
            selection=selection,
            reserved_by_others=[sample.id for sample in pool if sample.id in taken.reserved],
            batch_id=handout.batch_id,
            reserved_until=handout.reserved_until,
        )

    def _get_predictor(self) -> Predictor:
        if self._predictor is None:
            self._predictor = _load_starter_predictor()
        return self._predictor


def _load_starter_predictor() -> Predictor:
    from jobsentinel_workers.multi_task import MultiTaskBERT, MultiTaskPredictor
    from jobsentinel_workers.starter import starter_path

    return MultiTaskPredictor(MultiTaskBERT.load(starter_path("multi-task")))


def _stored_labels(store: Database, **options: Any) -> LabelMemory:
    # Loaded here only: without a store, this package is used without SQL.
    from jobsentinel_workers.labelling.stored_labels import StoredLabels

    return StoredLabels(store, **options)


def _needed(value: str | None, field: str) -> str:
    if value is None:
        raise InvalidInput(field, "is missing; labels in a store have one")
    return value


def _batch(
    strategy: str, candidates: Sequence[Sample], arrays: PoolArrays, selection: Selection
) -> Batch:
    indices, embeddings = selection.indices, arrays.embeddings
    return Batch(
        strategy=strategy,
        samples=[candidates[index] for index in indices],
        picks=selection.picks,
        embeddings=None if embeddings is None else [embeddings[index] for index in indices],
    )
