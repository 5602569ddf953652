"""What a model has to beat: words counted by TF-IDF, and an answer that never changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.word_regression import fit_words
from jobsentinel_workers.multi_task.calibration import HIGH_QUANTILE, LOW_QUANTILE
from jobsentinel_workers.multi_task.tasks import Task, TaskType


@dataclass(frozen=True, slots=True)
class Baseline:
    """Answers texts as a model would.

    Attributes:
        task: the question.
        answer: from n texts to their answers, in the form of :class:`Judged`.
        threshold: probability from which a binary answer is yes.
    """

    task: Task
    answer: Callable[[Sequence[str]], FloatArray]
    threshold: float = 0.5

    def judge(self, texts: Sequence[str], targets: FloatArray) -> Judged:
        """Return the answers to ``texts`` beside their targets, in the form of :class:`Judged`."""
        return Judged(self.task, targets, self.answer(texts), self.threshold)


def fit_baseline(
    task: Task, texts: Sequence[str], targets: FloatArray, *, seed: int = 0
) -> Baseline:
    """Return TF-IDF over words and pairs of words under a logistic or ridge regression.

    Args:
        task: the question.
        texts: training texts that have a label.
        targets: their labels in the form of :class:`Judged`, values in the task's unit.
        seed: of the split on which the penalty is chosen.

    Raises:
        InvalidInput: a label is missing, or the texts hold no words.
    """
    _check(targets)
    with threadpool_limits(1):
        model = fit_words(task, texts, targets, seed)

    def answer(texts: Sequence[str]) -> FloatArray:
        with threadpool_limits(1):
            return model.answer(texts)

    return Baseline(task, answer, model.calibration.threshold)


def constant_baseline(task: Task, targets: FloatArray) -> Baseline:
    """Return the baseline that saw the training targets and never reads a text.

    It answers with the share of each class; with the base rate, always yes; or with the median
    and the interval from P10 to P90.

    Args:
        task: the question.
        targets: training labels in the form of :class:`Judged`, values in the task's unit.

    Raises:
        InvalidInput: a label is missing.
    """
    _check(targets)
    row = _constant(task, targets)

    def answer(texts: Sequence[str]) -> FloatArray:
        return np.broadcast_to(row, (len(texts), *row.shape)).copy()

    return Baseline(task, answer, float(row) if task.type is TaskType.BINARY else 0.5)


def _constant(task: Task, targets: FloatArray) -> FloatArray:
    if task.has_values:
        return np.quantile(targets, [LOW_QUANTILE, 0.5, HIGH_QUANTILE])
    if task.type is TaskType.BINARY:
        return np.asarray(task.base_rate or targets.mean(), dtype=np.float64)
    # Half a row more of each answer than was seen: what was not seen is not impossible.
    if task.type is TaskType.MULTILABEL:
        return np.asarray((targets.sum(axis=0) + 0.5) / (len(targets) + 1))
    seen = np.bincount(targets.astype(int), minlength=len(task.classes)) + 0.5
    return np.asarray(seen / seen.sum())


def _check(targets: FloatArray) -> None:
    if not len(targets) or np.isnan(targets).any():
        raise InvalidInput("targets", "must hold at least one row, and no row without a label")
