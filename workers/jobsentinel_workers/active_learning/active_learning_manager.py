"""The labelling loop: choose samples, take labels, say when to train again."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.checks import check_count, check_seed, check_share
from jobsentinel_workers.active_learning.known_strategies import strategy_named
from jobsentinel_workers.active_learning.predictions import (
    LabelledSamples,
    Models,
    Predictor,
    pool_arrays,
)
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.random_share import RANDOM_SHARE
from jobsentinel_workers.active_learning.retraining import RetrainingDecision, RetrainingTrigger
from jobsentinel_workers.active_learning.samples import Label, QueryResult, Sample
from jobsentinel_workers.active_learning.selection import select

_SECONDS_A_DAY = 86_400.0


class ActiveLearningManager:
    """Chooses what to label next and keeps the labels of this process.

    Probabilities and embeddings that samples lack come from ``predictor``; without one, the
    starter multi-task model is loaded when first needed.

    Args:
        batch_size: samples a query when it does not say.
        strategy: a name of `QueryStrategy`, or one that an installed package adds.
        task: the task whose class probabilities, or values, count.
        committee: models whose disagreement counts, for strategies that ask a committee.
        random_share: part of each batch that is drawn evenly, to judge the model by.
        now: the clock, in UTC.

    Example:
        >>> manager = ActiveLearningManager(strategy=QueryStrategy.RANDOM, batch_size=1)
        >>> result = manager.select_samples([Sample("a", "Cook"), Sample("b", "Nurse")])
        >>> manager.add_labels(result.selected_samples, ["healthcare"])
        1
    """

    def __init__(
        self,
        strategy: QueryStrategy | str = QueryStrategy.HYBRID,
        batch_size: int = 10,
        predictor: Predictor | None = None,
        *,
        task: str = "job_category",
        committee: Sequence[Predictor] = (),
        seed: int = 0,
        random_share: float = RANDOM_SHARE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._strategy = strategy_named(str(strategy))
        self.strategy = str(strategy)
        self.batch_size = check_count(batch_size, "batch_size")
        self.task = task
        self.seed = check_seed(seed)
        self.random_share = check_share(random_share, "random_share")
        self._models = Models(self._get_predictor, task, committee)
        self._predictor = predictor
        self._now = now
        self._labels: dict[str, Label] = {}
        self._labelled_embeddings: dict[str, NDArray[np.float64]] = {}
        self._picked_embeddings: dict[str, NDArray[np.float64]] = {}
        self._new_ids: set[str] = set()
        self._queries = 0
        self._trainings = 0
        self._waiting_since: datetime = now()

    def select_samples(self, pool: Sequence[Sample], num_samples: int | None = None) -> QueryResult:
        """Choose up to ``num_samples`` of the pool; those that have a label are no candidates.

        The same pool, labels and seed give the same answer, in whatever order the pool is. An
        empty pool, or one that is labelled whole, gives an empty answer.

        Raises:
            InvalidInput: a count below 1, an id twice, probabilities that are none.
            ModelUnavailable: something must be computed and the model cannot.
        """
        count = check_count(self.batch_size if num_samples is None else num_samples, "num_samples")
        _refuse_repeated_ids(pool)
        candidates = [sample for sample in pool if sample.id not in self._labels]
        arrays = pool_arrays(candidates, self._strategy, self._models, self._labelled())
        started = time.perf_counter()
        selection = select(
            self.strategy,
            num_samples=count,
            class_names=arrays.class_names,
            ids=[sample.id for sample in candidates],
            seed=self.seed,
            random_share=self.random_share,
            **arrays.arguments,
        )
        elapsed_ms = (time.perf_counter() - started) * 1_000
        self._queries += 1
        if arrays.embeddings is not None:
            for index in selection.indices:
                self._picked_embeddings[candidates[index].id] = arrays.embeddings[index]
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
            already_labelled=[sample.id for sample in pool if sample.id in self._labels],
            selection_time_ms=elapsed_ms,
            selection=selection,
        )

    def add_labels(self, samples: Sequence[Sample], labels: Sequence[Label]) -> int:
        """Keep one label a sample; a new label for the same id replaces the old one.

        Returns how many labels are new or changed. Either all are kept or, on an error, none.

        Raises:
            InvalidInput: more samples than labels or fewer, or a label that is no plain value.
        """
        if len(samples) != len(labels):
            raise InvalidInput("labels", f"must be {len(samples)}, one a sample, not {len(labels)}")
        for at, label in enumerate(labels):
            _check_label(label, f"labels.{at}")
        changed = [self._keep(sample, label) for sample, label in zip(samples, labels, strict=True)]
        return sum(changed)

    def should_retrain(self, trigger: RetrainingTrigger | None = None) -> bool:
        """Return whether the labels since the last training call for another."""
        return self.retraining_decision(trigger).due

    def retraining_decision(self, trigger: RetrainingTrigger | None = None) -> RetrainingDecision:
        """Return whether to train again, with the reason."""
        waited = (self._now() - self._waiting_since).total_seconds() / _SECONDS_A_DAY
        return (trigger or RetrainingTrigger()).decide(
            new_labels=len(self._new_ids),
            days_since_training=waited,
            classes=len(set(map(str, self._labels.values()))),
        )

    def mark_retrained(self) -> None:
        """Note that a model was trained on the labels so far: counting starts anew."""
        self._new_ids.clear()
        self._waiting_since = self._now()
        self._trainings += 1

    def labels(self) -> dict[str, Label]:
        """Return the labels by sample id."""
        return dict(self._labels)

    def get_statistics(self) -> dict[str, Any]:
        """Return what was asked, labelled and trained so far."""
        return {
            "strategy": self.strategy,
            "batch_size": self.batch_size,
            "queries": self._queries,
            "total_labels": len(self._labels),
            "new_labels": len(self._new_ids),
            "label_counts": dict(Counter(map(str, self._labels.values()))),
            "trainings": self._trainings,
            "waiting_since": self._waiting_since.isoformat(),
        }

    def _keep(self, sample: Sample, label: Label) -> bool:
        if sample.id in self._labels and self._labels[sample.id] == label:
            return False
        self._labels[sample.id] = label
        self._new_ids.add(sample.id)
        embedding = sample.embedding
        if embedding is None:
            embedding = self._picked_embeddings.pop(sample.id, None)
        if embedding is not None:
            self._labelled_embeddings[sample.id] = np.asarray(embedding, dtype=np.float64)
        return True

    def _labelled(self) -> LabelledSamples:
        return LabelledSamples(
            list(self._labelled_embeddings.values()),
            [self._labels[id_] for id_ in self._labelled_embeddings],
        )

    def _get_predictor(self) -> Predictor:
        if self._predictor is None:
            self._predictor = _load_starter_predictor()
        return self._predictor


def _load_starter_predictor() -> Predictor:
    from jobsentinel_workers.multi_task import MultiTaskBERT, MultiTaskPredictor
    from jobsentinel_workers.starter import starter_path

    return MultiTaskPredictor(MultiTaskBERT.load(starter_path("multi-task")))


def _refuse_repeated_ids(pool: Sequence[Sample]) -> None:
    seen: set[str] = set()
    for at, sample in enumerate(pool):
        if sample.id in seen:
            raise InvalidInput(f"pool.{at}.id", f"{sample.id!r} is in the pool twice")
        seen.add(sample.id)


def _check_label(label: Any, field: str) -> None:
    if not isinstance(label, str | int | float) or label == "":
        raise InvalidInput(field, "must be text, a number or a truth value, and not empty")
    if isinstance(label, float) and not math.isfinite(label):
        raise InvalidInput(field, "must not be NaN or infinite")
