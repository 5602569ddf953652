"""Users' own models before the gate: what a fine-tuned model says of labelled rows.

A fine-tuned model has one task, which is named for its kind. It gives no interval for a value, so
low, value and high are the same, and the gate does not look at coverage.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import Runner, TextInput, run_directly
from jobsentinel_workers.fine_tuning import FineTunedBERT, JobMatchingDataset
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.tasks import Task, TaskType


def judge_own_models(
    models: Sequence[FineTunedBERT], rows: JobMatchingDataset, runner: Runner = run_directly
) -> list[Judged]:
    """Return what each of ``models`` says of the same ``rows``.

    Classes are those of all models and of the rows together, in order of their names; a class that
    a model does not know has no probability there.

    Raises:
        InvalidInput: a model is of another kind than the rows.
        ModelUnavailable: a model is not trained.
    """
    for model in models:
        if model.config.task != rows.task:
            raise InvalidInput("models", f"must be of the kind {rows.task}: {model.config.task}")
    task = _task(models, rows)
    targets = _targets(task, rows)
    return [Judged(task, targets, _answers(task, model, rows, runner)) for model in models]


def _task(models: Sequence[FineTunedBERT], rows: JobMatchingDataset) -> Task:
    if rows.task != "classification":
        return Task(rows.task, TaskType.REGRESSION)
    known = {name for model in models if model.targets for name in model.targets.classes}
    return Task(rows.task, TaskType.CLASSIFICATION, classes=tuple(sorted({*known, *rows.classes})))


def _targets(task: Task, rows: JobMatchingDataset) -> FloatArray:
    if task.has_values:
        return rows.numbers()
    return rows.class_indices(task.classes).astype(np.float64)


def _answers(
    task: Task, model: FineTunedBERT, rows: JobMatchingDataset, runner: Runner
) -> FloatArray:
    predictions = model.predict_batch(inputs_of(rows), runner)
    if task.has_values:
        values = np.array([prediction["value"] for prediction in predictions], dtype=np.float64)
        return np.repeat(values[:, None], 3, axis=1)
    shares = [prediction["probabilities"] for prediction in predictions]
    return np.array([[row.get(name, 0.0) for name in task.classes] for row in shares])


def inputs_of(rows: JobMatchingDataset) -> list[TextInput]:
    """Return the texts, or pairs of texts, that a model is asked about."""
    texts = (example.texts for example in rows.examples)
    return [(each[0], each[1]) if len(each) == 2 else each[0] for each in texts]
