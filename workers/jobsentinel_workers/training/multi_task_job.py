"""Training the scoring model: from the labels at hand to a model that the gate has judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobsentinel.contract.base import dump
from jobsentinel.contract.training_requests import TrainMultiTaskRequest
from jobsentinel_workers.gate import Contender, GatePolicy, Verdict, decide, measure_latency
from jobsentinel_workers.gate.scoring_models import (
    groups_of_tasks,
    judge_scoring_model,
    taught_tasks,
)
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    Task,
)
from jobsentinel_workers.multi_task.assessment.table import to_table
from jobsentinel_workers.multi_task.evaluated_training import (
    EvaluatedTraining,
    train_and_evaluate,
)
from jobsentinel_workers.multi_task.examples import to_targets
from jobsentinel_workers.multi_task.run_control import OnProgress, ShouldStop
from jobsentinel_workers.multi_task.storage import read_config
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.training.frozen_part import FrozenPart, freeze, today
from jobsentinel_workers.training.registering import identity
from jobsentinel_workers.training.trained import TIMED_TEXTS, Trained


@dataclass(frozen=True, slots=True)
class MultiTaskJob:
    """One training of the scoring model.

    Attributes:
        request: what to train and how.
        base: the version that training starts from.
        rows: all that is known, also what will only judge.
        new: so many of the first rows are new, beside others that are replayed; None otherwise.
        about_rows: what to write down of where they come from.
        precision: the setting of this process.
        judged_before: keys of rows that must never train.
        folder: of the run.
    """

    request: TrainMultiTaskRequest
    base: ModelVersion
    rows: Sequence[MultiTaskExample]
    precision: str
    judged_before: frozenset[str]
    folder: Path
    new: int | None = None
    about_rows: Mapping[str, Any] = field(default_factory=dict)

    def train(self, on_progress: OnProgress, should_stop: ShouldStop) -> Trained:
        """Train on the rows that are not frozen.

        Raises:
            InvalidInput: a label does not fit its task, or the rows teach no task.
            TrainingStopped: ``should_stop`` said so.
        """
        policy = GatePolicy.from_json(self.request.gate)
        to_targets(self.rows, tasks_of(self.base, self.request))
        texts = [row.text for row in self.rows]
        training, frozen = freeze(texts, self.request.name, self.judged_before, self.new)
        trained = train_and_evaluate(
            self._make_model,
            lambda model, folder, hears: self._make_trainer(model, folder, hears, should_stop),
            [self.rows[n] for n in training],
            name=self.request.name,
            date=today(),
            seed=self.request.seed,
            single_tasks=self.request.compare,
            folder=self.folder,
            on_progress=on_progress,
            test_rows=[self.rows[n] for n in frozen.positions],
        )

        def save(folder: Path) -> None:
            from jobsentinel_workers.multi_task.assessment.report import write_report  # matplotlib

            trained.model.save(folder)
            write_report(trained.evaluation, trained.judged, folder)

        def judge(folder: Path, champion: ModelVersion | None) -> Verdict:
            return self._judge(folder, champion, frozen, trained, policy)

        return Trained(
            kind="multi-task",
            save=save,
            metrics=trained.metrics,
            lineage={
                "base": identity(self.base),
                "data_sha256": digest(self.rows),
                "method": self.request.method,
                **self.about_rows,
            },
            judge=judge,
            frozen=frozen.keys,
            report=to_table(trained.evaluation),
        )

    def _make_model(self) -> MultiTaskBERT:
        model = MultiTaskBERT.load(self.base.path, precision=self.precision)
        for spec in self.request.tasks:
            model.add_task(Task.from_json(dump(spec)))
        return model.with_pooling(self.request.pooling)

    def _make_trainer(
        self,
        model: MultiTaskBERT,
        folder: Path | None,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> MultiTaskTrainer:
        request = self.request
        return MultiTaskTrainer(
            model,
            request.method,
            epochs=request.epochs,
            batch_size=request.batch_size,
            learning_rate=request.learning_rate,
            seed=request.seed,
            weighting=request.weighting,
            class_weights=request.class_weights,
            accumulate=request.accumulate,
            precision=self.precision,
            run_directory=folder,
            on_progress=on_progress,
            should_stop=should_stop,
        )

    def _judge(
        self,
        folder: Path,
        champion: ModelVersion | None,
        frozen: FrozenPart,
        trained: EvaluatedTraining,
        policy: GatePolicy,
    ) -> Verdict:
        rows = [self.rows[n] for n in frozen.positions]
        new = MultiTaskBERT.load(folder, precision=self.precision)
        tasks, challenger = new.tasks, f"{self.request.name}@new"
        beside, latency = None, None
        if champion is not None:
            old = MultiTaskBERT.load(champion.path, precision=self.precision)
            beside = judge_scoring_model(old, identity(champion), rows, tasks)
            latency = measure_latency(_answers(old), _answers(new), _texts_to_time(rows))
        verdict = decide(
            judge_scoring_model(new, challenger, rows, tasks),
            beside,
            trained=taught_tasks(tasks, trained.metrics),
            latency=latency,
            date=today(),
            policy=policy,
            groups=groups_of_tasks(rows, frozen.groups, tasks),
        )
        if self.new is None or champion is None:
            return verdict

        def judge_part(places: Sequence[int]) -> tuple[Contender, Contender]:
            part = [rows[place] for place in places]
            return (
                judge_scoring_model(new, challenger, part, tasks),
                judge_scoring_model(old, identity(champion), part, tasks),
            )

        return frozen.with_changes(verdict, judge_part, policy)


def _texts_to_time(rows: Sequence[MultiTaskExample]) -> list[str]:
    """Return some of the texts; where none is frozen, one that does in their stead."""
    return [row.text for row in rows[:TIMED_TEXTS]] or ["Registered nurse, night shift"]


def tasks_of(version: ModelVersion, request: TrainMultiTaskRequest) -> dict[str, Task]:
    """Return the tasks of a version, and those that the request adds to it."""
    known = [Task.from_json(fields) for fields in read_config(version.path)["tasks"]]
    added = [Task.from_json(dump(spec)) for spec in request.tasks]
    return {task.name: task for task in (*added, *known)}


def digest(rows: Sequence[MultiTaskExample]) -> str:
    """Return the SHA-256 of texts and labels in their order."""
    content = [[row.text, dict(row.labels)] for row in rows]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _answers(model: MultiTaskBERT) -> Callable[[Sequence[str]], object]:
    return MultiTaskPredictor(model).predict_batch
