"""Users' own models before the gate: what a fine-tuned model says of labelled rows.

A fine-tuned model has one task, which is named for its kind. It gives no interval for a value, so
low, value and high are the same, and the gate does not look at coverage. Pairs that only say what
belongs together are judged as a search: among all second texts, is the right one the nearest?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import Runner, TextInput, run_directly
from jobsentinel_workers.fine_tuning import FineTunedBERT, JobMatchingDataset
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.tasks import Task, TaskType
from jobsentinel_workers.reranking import CrossEncoderReranker

OwnModel = FineTunedBERT | CrossEncoderReranker

MAIN_METRICS: Final[Mapping[str, str]] = MappingProxyType(
    {"reranker": "spearman", "pairs": "accuracy"}
)
"""Where the default of the kind of answer does not fit: a reranker's scores have no unit, and among
pairs every class has one row."""
MAX_PAIRS: Final = 500
"""Of pairs that belong together so many judge; each is compared with all others."""
SHARPNESS: Final = 20.0
"""Cosines are multiplied by it before they become probabilities, as in the usual loss of pairs
(Henderson et al. 2017, https://arxiv.org/abs/1705.00652)."""


def load_own_model(kind: str, path: Path, precision: str) -> OwnModel:
    """Return the model in a folder, as serving loads it.

    Raises:
        ModelUnavailable: the folder holds no such model.
    """
    if kind == "reranker":
        return CrossEncoderReranker.load(path, precision=precision)
    return FineTunedBERT.load(path, precision=precision)


def answering(
    model: OwnModel, runner: Runner = run_directly
) -> Callable[[Sequence[TextInput]], object]:
    """Return what a model does with texts, or with pairs of them, to be timed."""
    if isinstance(model, FineTunedBERT):
        return lambda inputs: model.predict_batch(inputs, runner)
    return lambda inputs: runner(model.model, inputs)


def judge_own_models(
    models: Sequence[OwnModel], rows: JobMatchingDataset, runner: Runner = run_directly
) -> list[Judged]:
    """Return what each of ``models`` says of the same ``rows``.

    Classes are those of all models and of the rows together, in order of their names; a class that
    a model does not know has no probability there.

    Raises:
        InvalidInput: a model is of another kind than the rows.
        ModelUnavailable: a model is not trained.
    """
    for model in models:
        kind = model.config.task if isinstance(model, FineTunedBERT) else "reranker"
        if kind != rows.task:
            raise InvalidInput("models", f"must be of the kind {rows.task}: {kind}")
    if rows.task == "similarity" and not rows.examples[0].scored:
        return [_judge_pairs(model, rows, runner) for model in models]
    task = _task(models, rows)
    targets = _targets(task, rows)
    return [Judged(task, targets, _answers(task, model, rows, runner)) for model in models]


def _judge_pairs(model: OwnModel, rows: JobMatchingDataset, runner: Runner) -> Judged:
    texts = [example.texts for example in rows.examples[:MAX_PAIRS]]
    names = tuple(f"pair {number}" for number in range(len(texts)))
    task = Task("pairs", TaskType.CLASSIFICATION, classes=names)
    assert isinstance(model, FineTunedBERT)  # a reranker's rows are of another kind
    one, other = (runner(model, [pair[side] for pair in texts]) for side in (0, 1))
    logits = SHARPNESS * (one @ other.T).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return Judged(task, np.arange(len(texts), dtype=np.float64), shares)


def _task(models: Sequence[OwnModel], rows: JobMatchingDataset) -> Task:
    if rows.task != "classification":
        return Task(rows.task, TaskType.REGRESSION)
    targets = [model.targets for model in models if isinstance(model, FineTunedBERT)]
    known = {name for each in targets if each for name in each.classes}
    return Task(rows.task, TaskType.CLASSIFICATION, classes=tuple(sorted({*known, *rows.classes})))


def _targets(task: Task, rows: JobMatchingDataset) -> FloatArray:
    if task.has_values:
        return rows.numbers()
    return rows.class_indices(task.classes).astype(np.float64)


def _answers(task: Task, model: OwnModel, rows: JobMatchingDataset, runner: Runner) -> FloatArray:
    inputs = inputs_of(rows)
    if not isinstance(model, FineTunedBERT):
        return _as_values(runner(model.model, inputs)[:, 0].astype(np.float64))
    predictions = model.predict_batch(inputs, runner)
    if task.has_values:
        return _as_values(np.array([prediction["value"] for prediction in predictions]))
    shares = [prediction["probabilities"] for prediction in predictions]
    return np.array([[row.get(name, 0.0) for name in task.classes] for row in shares])


def _as_values(values: FloatArray) -> FloatArray:
    """Return (n, 3) of (n,): low, value and high alike."""
    return np.repeat(values[:, None], 3, axis=1)


def inputs_of(rows: JobMatchingDataset) -> list[TextInput]:
    """Return the texts, or pairs of texts, that a model is asked about."""
    texts = (example.texts for example in rows.examples)
    return [(each[0], each[1]) if len(each) == 2 else each[0] for each in texts]
