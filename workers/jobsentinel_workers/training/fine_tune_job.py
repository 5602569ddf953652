"""Training a model of the user's own: from labelled rows to a model that the gate has judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from jobsentinel.contract.limits import MIN_TRAINING_ROWS
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    FineTuningTrainer,
    JobMatchingDataset,
    TrainingMetrics,
)
from jobsentinel_workers.fine_tuning.progress import OnProgress, ShouldStop
from jobsentinel_workers.gate import (
    Contender,
    GatePolicy,
    Verdict,
    decide,
    measure_latency,
    split_frozen,
)
from jobsentinel_workers.gate.own_models import inputs_of, judge_own_models
from jobsentinel_workers.multi_task.near_duplicates import near_duplicate_groups
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.training.registering import identity
from jobsentinel_workers.training.trained import TIMED_TEXTS, Trained

FROZEN_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class FineTuneJob:
    """One training of a user's own model.

    Attributes:
        name: of the model.
        config: what to train and how.
        rows: all that is known, also what will only judge.
        policy: of the gate.
        judged_before: keys of rows that must never train.
        folder: of the run.
    """

    name: str
    config: FineTuningConfig
    rows: JobMatchingDataset
    policy: GatePolicy
    judged_before: frozenset[str]
    folder: Path

    def train(self, on_progress: OnProgress, should_stop: ShouldStop) -> Trained:
        """Train on the rows that are not frozen.

        Raises:
            InvalidInput: the rows cannot be learnt.
            TrainingInterrupted: ``should_stop`` said so.
        """
        learnt, frozen = self._split()
        model = FineTunedBERT(self.config)
        trainer = FineTuningTrainer(
            model,
            self.config,
            run_directory=self.folder,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        metrics = _flat(trainer.train(learnt))

        def judge(folder: Path, champion: ModelVersion | None) -> Verdict:
            return self._judge(folder, champion, frozen)

        return Trained(
            kind=self.config.task,
            save=model.save,
            metrics=metrics,
            lineage={
                "base": model.encoder.model_id,
                "data_sha256": self.rows.sha256,
                "method": self.config.method,
            },
            judge=judge,
            frozen=frozen.keys,
        )

    def _split(self) -> tuple[JobMatchingDataset, _Frozen]:
        """Return what trains and what judges; with too few rows to spare any, all train."""
        texts = ["\n".join(example.texts) for example in self.rows.examples]
        groups = near_duplicate_groups(texts)
        before = self.judged_before
        split = split_frozen(texts, groups, FROZEN_SHARE, self.name, judged_before=before)
        learnt = _part(self.rows, split.training)
        if len(learnt) < MIN_TRAINING_ROWS or _different(learnt) < min(2, _different(self.rows)):
            return self.rows, _Frozen(_part(self.rows, ()), [], frozenset())
        frozen = _part(self.rows, split.frozen)
        return learnt, _Frozen(frozen, [groups[n] for n in split.frozen], split.keys)

    def _judge(self, folder: Path, champion: ModelVersion | None, frozen: _Frozen) -> Verdict:
        paths = [folder] if champion is None else [folder, champion.path]
        models = [FineTunedBERT.load(path, precision=self.config.precision) for path in paths]
        names = [f"{self.name}@new", *([] if champion is None else [identity(champion)])]
        contenders = self._contenders(names, models, frozen.rows)
        latency = None
        if champion is not None:
            new, old = (model.predict_batch for model in models)
            texts = inputs_of(frozen.rows)[:TIMED_TEXTS] or inputs_of(self.rows)[:1]
            latency = measure_latency(old, new, texts)
        return decide(
            contenders[0],
            contenders[1] if champion is not None else None,
            trained=[self.config.task],
            latency=latency,
            date=datetime.now(UTC).date().isoformat(),
            policy=self.policy,
            groups={self.config.task: np.array(frozen.groups, dtype=np.int64)},
        )

    def _contenders(
        self, names: Sequence[str], models: Sequence[FineTunedBERT], rows: JobMatchingDataset
    ) -> list[Contender]:
        task = self.config.task
        if not len(rows):
            return [Contender(name, {}, [task]) for name in names]
        judged = judge_own_models(models, rows)
        return [
            Contender(name, {task: one}, [task]) for name, one in zip(names, judged, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Frozen:
    """Rows that judge, for each its group of near-duplicates, and their keys."""

    rows: JobMatchingDataset
    groups: list[int]
    keys: frozenset[str]


def _part(rows: JobMatchingDataset, positions: Sequence[int]) -> JobMatchingDataset:
    return JobMatchingDataset(rows.task, tuple(rows.examples[n] for n in positions))


def _different(rows: JobMatchingDataset) -> int:
    return len({example.target for example in rows.examples})


def _flat(metrics: TrainingMetrics) -> dict[str, float]:
    """Return the defined metrics by name, those of the simplest alternative as ``baseline_...``."""
    named = {**metrics.validation, **{f"baseline_{k}": v for k, v in metrics.baseline.items()}}
    return {name: value for name, value in named.items() if value is not None}
