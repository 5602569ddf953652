"""A model's evaluation: every metric with its interval, beside what it has to beat.

It is a record: plain values that are written to JSON and read back, from which tables and reports
are made. What it says can be computed again from the judged rows and the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from jobsentinel_workers.multi_task.assessment.bootstrap import (
    RESAMPLES,
    Groups,
    Interval,
    Resampled,
    resample,
    to_differences,
    to_intervals,
)
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.tasks import Task, TaskType

Intervals = Mapping[str, Interval]
FEW_ROWS = 100
FEW_OF_A_KIND = 20


@dataclass(frozen=True, slots=True)
class TaskEvaluation:
    """One task's part.

    Attributes:
        task: the question.
        rows: how many rows were judged.
        metrics: of the model, by name.
        beside: of each thing it is compared with, by that thing's name and the metric's.
        difference: the model's metric minus the other's on the same rows, named in the same way.
    """

    task: Task
    rows: int
    metrics: Intervals
    beside: Mapping[str, Intervals]
    difference: Mapping[str, Intervals]

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON values."""
        return {
            "task": self.task.to_json(),
            "rows": self.rows,
            "metrics": _to_json(self.metrics),
            "beside": {name: _to_json(found) for name, found in self.beside.items()},
            "difference": {name: _to_json(found) for name, found in self.difference.items()},
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the evaluation that :meth:`to_json` wrote."""
        return cls(
            Task.from_json(fields["task"]),
            fields["rows"],
            _from_json(fields["metrics"]),
            {name: _from_json(found) for name, found in fields["beside"].items()},
            {name: _from_json(found) for name, found in fields["difference"].items()},
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of a model's quality.

    Attributes:
        model: its name or id.
        precision: the number format it answered in.
        date: of the evaluation, ISO 8601.
        tasks: the questions it was judged on.
        notes: what a reader has to know to read the numbers.
    """

    model: str
    precision: str
    date: str
    tasks: tuple[TaskEvaluation, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON values."""
        return {
            "model": self.model,
            "precision": self.precision,
            "date": self.date,
            "tasks": [task.to_json() for task in self.tasks],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the evaluation that :meth:`to_json` wrote."""
        return cls(
            fields["model"],
            fields["precision"],
            fields["date"],
            tuple(TaskEvaluation.from_json(task) for task in fields["tasks"]),
            tuple(fields["notes"]),
        )


def evaluate(
    ours: Mapping[str, Judged],
    beside: Mapping[str, Mapping[str, Judged]],
    *,
    model: str,
    precision: str,
    date: str,
    groups: Mapping[str, Groups] | None = None,
    notes: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Return the evaluation of a model.

    Args:
        ours: what the model says, by task name.
        beside: what others say of the same rows, by their name and the task's; tasks may lack.
        model: its name or id.
        precision: the number format it answered in.
        date: ISO 8601.
        groups: near-duplicates among each task's rows, by task name; tasks may lack.
        notes: put before those that the rows give rise to.
        resamples: how often the rows are drawn again.
        seed: of the draws.

    Raises:
        InvalidInput: a comparison was not judged on the same rows.
    """

    def draw(judged: Judged) -> Resampled:
        members = (groups or {}).get(judged.task.name)
        return resample(judged, groups=members, resamples=resamples, seed=seed)

    tasks = []
    for name, judged in ours.items():
        others = {other: draw(found[name]) for other, found in beside.items() if name in found}
        tasks.append(_evaluate_task(draw(judged), others))
    warnings = [note for judged in ours.values() for note in _notes(judged)]
    return Evaluation(model, precision, date, tuple(tasks), (*notes, *warnings))


def _evaluate_task(ours: Resampled, others: Mapping[str, Resampled]) -> TaskEvaluation:
    return TaskEvaluation(
        ours.judged.task,
        ours.judged.rows,
        to_intervals(ours),
        {name: to_intervals(other) for name, other in others.items()},
        {name: to_differences(ours, other) for name, other in others.items()},
    )


def _notes(judged: Judged) -> list[str]:
    name, rows = judged.task.name, judged.rows
    if rows < 2:
        return [f"{name}: {rows} rows were judged, of which nothing can be said."]
    notes = []
    if rows < FEW_ROWS:
        notes.append(f"{name}: only {rows} rows were judged; the intervals are rough.")
    if judged.task.type is TaskType.BINARY:
        rarer = int(min(np.sum(judged.targets), rows - np.sum(judged.targets)))
        if rarer < FEW_OF_A_KIND:
            notes.append(f"{name}: only {rarer} of the judged rows have the rarer answer.")
    return notes


def _to_json(found: Intervals) -> dict[str, dict[str, float]]:
    return {name: asdict(interval) for name, interval in found.items()}


def _from_json(fields: Mapping[str, Any]) -> dict[str, Interval]:
    return {name: Interval(**interval) for name, interval in fields.items()}
