"""Training a model of the user's own: from labelled rows to a model that the gate has judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from jobsentinel.contract.limits import MIN_TRAINING_ROWS
from jobsentinel_workers.fine_tuning import (
    FineTuned,
    FineTunedBERT,
    FineTuningConfig,
    JobMatchingDataset,
    TrainingMetrics,
    train_fine_tuned,
)
from jobsentinel_workers.fine_tuning.progress import OnProgress, ShouldStop
from jobsentinel_workers.gate import (
    Contender,
    GatePolicy,
    Verdict,
    decide,
    measure_latency,
)
from jobsentinel_workers.gate.own_models import (
    OwnModel,
    answering,
    inputs_of,
    judge_own_models,
    load_own_model,
)
from jobsentinel_workers.multi_task.assessment.bootstrap import Groups
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.training.frozen_part import FrozenPart, freeze, today
from jobsentinel_workers.training.registering import identity
from jobsentinel_workers.training.trained import TIMED_TEXTS, Trained


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
        start: the version whose encoder training starts from; None takes the config's.
        unlabelled: texts that the encoder reads first where the config says so.
        new: so many of the first rows are new, beside others that are replayed; None otherwise.
        about_rows: what to write down of where they come from.
    """

    name: str
    config: FineTuningConfig
    rows: JobMatchingDataset
    policy: GatePolicy
    judged_before: frozenset[str]
    folder: Path
    start: ModelVersion | None = None
    unlabelled: Sequence[str] = ()
    new: int | None = None
    about_rows: Mapping[str, Any] = field(default_factory=dict)

    def train(self, on_progress: OnProgress, should_stop: ShouldStop) -> Trained:
        """Train on the rows that are not frozen.

        Raises:
            InvalidInput: the rows cannot be learnt.
            TrainingInterrupted: ``should_stop`` said so.
        """
        learnt, frozen = self._split()
        start = self._start()
        fine_tuned = train_fine_tuned(
            self._config(),
            learnt,
            run_directory=self.folder,
            on_progress=on_progress,
            should_stop=should_stop,
            unlabelled=self.unlabelled,
            encoder=None if start is None else start.encoder,
        )
        if start is not None and start.encoder_changed:
            _keep_whole_encoder(fine_tuned)

        def judge(folder: Path, champion: ModelVersion | None) -> Verdict:
            return self._judge(folder, champion, frozen)

        return Trained(
            kind=fine_tuned.kind,
            save=fine_tuned.save,
            metrics=_flat(fine_tuned.metrics),
            lineage={
                "base": fine_tuned.base if self.start is None else identity(self.start),
                "data_sha256": self.rows.sha256,
                "method": self.config.method,
                **self.about_rows,
            },
            judge=judge,
            frozen=frozen.keys,
        )

    def _config(self) -> FineTuningConfig:
        if self.config.task != "reranker" or self.start is None:
            return self.config
        return replace(self.config, base_encoder=str(self.start.path))

    def _start(self) -> FineTunedBERT | None:
        if self.start is None or self.config.task == "reranker":
            return None
        return FineTunedBERT.load(self.start.path, precision=self.config.precision)

    def _split(self) -> tuple[JobMatchingDataset, FrozenPart]:
        """Return what trains and what judges; with too few rows to spare any, all train."""
        training, frozen = self._frozen()
        learnt = self._part(training)
        if len(learnt) < MIN_TRAINING_ROWS or not _as_varied(learnt, self.rows):
            return self.rows, FrozenPart((), [], [], [], frozenset())
        return learnt, frozen

    def _frozen(self) -> tuple[tuple[int, ...], FrozenPart]:
        examples = self.rows.examples
        if self.config.task != "reranker":
            texts = ["\n".join(example.texts) for example in examples]
            return freeze(texts, self.name, self.judged_before, self.new)
        queries, texts = ([example.texts[side] for example in examples] for side in (0, 1))
        return freeze(texts, self.name, self.judged_before, self.new, queries=queries)

    def _part(self, positions: Sequence[int]) -> JobMatchingDataset:
        examples = self.rows.examples
        return JobMatchingDataset(self.rows.task, tuple(examples[n] for n in positions))

    def _judge(self, folder: Path, champion: ModelVersion | None, frozen: FrozenPart) -> Verdict:
        rows = self._part(frozen.positions)
        new = load_own_model(self.config.task, folder, self.config.precision)
        models, latency = [new], None
        names = [f"{self.name}@new"]
        if champion is not None:
            old = load_own_model(self.config.task, champion.path, self.config.precision)
            texts = inputs_of(rows)[:TIMED_TEXTS] or inputs_of(self.rows)[:1]
            latency = measure_latency(answering(old), answering(new), texts)
            models.append(old)
            names.append(identity(champion))
        contenders = self._contenders(names, models, rows)
        task = next(iter(contenders[0].tasks))
        verdict = decide(
            contenders[0],
            contenders[1] if champion is not None else None,
            trained=[task],
            latency=latency,
            date=today(),
            policy=self.policy,
            groups=_of_judged(contenders[0], frozen.groups),
            clusters=_of_judged(contenders[0], frozen.clusters),
        )
        if self.new is None or champion is None:
            return verdict

        def judge_part(places: Sequence[int]) -> tuple[Contender, Contender]:
            part = self._part([frozen.positions[place] for place in places])
            challenger, other = self._contenders(names, models, part)
            return challenger, other

        return frozen.with_changes(verdict, judge_part, self.policy)

    def _contenders(
        self, names: Sequence[str], models: Sequence[OwnModel], rows: JobMatchingDataset
    ) -> list[Contender]:
        if not len(rows):
            return [Contender(name, {}, [self.config.task]) for name in names]
        judged = judge_own_models(models, rows)
        return [
            Contender(name, {one.task.name: one}, [one.task.name])
            for name, one in zip(names, judged, strict=True)
        ]


def _keep_whole_encoder(fine_tuned: FineTuned) -> None:
    """Let the model be saved with all of its encoder: a version must not lean on another one."""
    model = fine_tuned.model
    if isinstance(model, FineTunedBERT):
        model.adapter = None
        model.note_encoder_change()


def _of_judged(contender: Contender, groups: Sequence[int]) -> dict[str, Groups]:
    """Return the groups of the rows that were judged, by task."""
    return {task: np.array(groups[: one.rows]) for task, one in contender.judged.items()}


def _as_varied(learnt: JobMatchingDataset, rows: JobMatchingDataset) -> bool:
    """Return whether two targets, and for a reranker two queries, are left of as many or more."""
    kept, all_kinds = _variety(learnt), _variety(rows)
    return all(left >= min(2, given) for left, given in zip(kept, all_kinds, strict=True))


def _variety(rows: JobMatchingDataset) -> tuple[int, int]:
    """Return how many different targets there are, and how many queries of a reranker."""
    queries = (
        {each.texts[0].casefold() for each in rows.examples} if rows.task == "reranker" else ()
    )
    return len({example.target for example in rows.examples}), len(queries)


def _flat(metrics: TrainingMetrics) -> dict[str, float]:
    """Return the defined metrics by name, those of the simplest alternative as ``baseline_...``."""
    named = {**metrics.validation, **{f"baseline_{k}": v for k, v in metrics.baseline.items()}}
    return {name: value for name, value in named.items() if value is not None}
