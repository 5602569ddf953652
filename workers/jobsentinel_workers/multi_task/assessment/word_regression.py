"""A regression over TF-IDF features, as strong as a plain one gets.

A baseline is only worth beating when it was given its best. Its penalty is chosen on rows held
out from the training rows; its probabilities and its threshold are calibrated there as the
model's own are; its interval is split-conformal (Vovk et al. 2005); and unless that takes long, it
then learns from all training rows. Texts are not cut as an encoder cuts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment.judged import FloatArray
from jobsentinel_workers.multi_task.assessment.linear import Linear, Link, fit_linear
from jobsentinel_workers.multi_task.calibration import (
    Calibration,
    fit_margin,
    fit_platt,
    fit_temperature,
    fit_threshold,
    prior_weights,
    to_probability,
)
from jobsentinel_workers.multi_task.tasks import Task, TaskType

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

Rows = npt.NDArray[np.intp]

MAX_TERMS = 30_000
FEW_TEXTS = 50
"""Below so many texts, words that only one of them uses are kept as well."""
HELD_OUT_SHARE = 0.2
MAX_HELD_OUT = 2_000
MAX_SEARCH_ENTRIES = 2_000_000
"""Words of rows from which the penalty is chosen: some 4,000 postings, or any number of titles."""
CLASS_STRENGTHS = (1.0, 10.0, 100.0)
VALUE_STRENGTHS = (0.3, 1.0, 3.0)
SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True, eq=False)
class WordRegression:
    """A fitted regression with its vocabulary."""

    task: Task
    vectorizer: TfidfVectorizer
    model: Linear
    calibration: Calibration

    def answer(self, texts: Sequence[str]) -> FloatArray:
        """Return the answers to ``texts``, values in the task's unit."""
        outputs = self.model.outputs(self.vectorizer.transform(texts))
        return _to_answers(self.task, outputs, self.calibration)


def fit_words(
    task: Task, texts: Sequence[str], targets: FloatArray, seed: int = 0
) -> WordRegression:
    """Return the regression of labels, values in the task's unit, on the words of ``texts``.

    Raises:
        InvalidInput: the texts hold no words.
    """
    vectorizer, features = _count_words(texts)
    fit = _Fit(task, features, _to_matrix(task, targets))
    learnt, held_out = _split(task, targets, seed)
    enough = MAX_SEARCH_ENTRIES * len(texts) // max(features.nnz, 1)
    strength, model = fit.search(learnt[:enough], held_out)
    if len(learnt) > enough:
        model = fit.learn(learnt, strength, model)
    calibration = fit.calibrate(model, held_out)
    if len(learnt) <= enough:  # the rows held out can be had for little
        model = fit.learn(np.arange(len(targets)), strength, model)
    return WordRegression(task, vectorizer, model, calibration)


def _count_words(texts: Sequence[str]) -> tuple[TfidfVectorizer, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        min_df=1 if len(texts) < FEW_TEXTS else 2,
        max_features=MAX_TERMS,
        dtype=np.float32,
    )
    try:
        return vectorizer, vectorizer.fit_transform(texts)
    except ValueError as error:  # what scikit-learn raises for an empty vocabulary
        raise InvalidInput("texts", f"hold too few words ({error})") from error


def _split(task: Task, targets: FloatArray, seed: int) -> tuple[Rows, Rows]:
    """Return rows to learn from and rows held out, with every class that can be in both.

    Where nothing can be spared, all rows are both, which is optimistic but better than nothing.
    """
    order = np.random.default_rng(seed).permutation(len(targets))
    has_one_class = task.type in (TaskType.CLASSIFICATION, TaskType.BINARY)
    classes = targets[order] if has_one_class else np.zeros(len(order))
    share = min(HELD_OUT_SHARE, MAX_HELD_OUT / len(order))
    spared = [
        members[: max(1, round(share * len(members)))]
        for members in (order[classes == one] for one in np.unique(classes))
        if len(members) > 1
    ]
    if not spared:
        return order, order
    held_out = np.concatenate(spared)
    return order[~np.isin(order, held_out)], held_out


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A regression in the making.

    Attributes:
        task: the question.
        features: (n, d) sparse.
        wanted: (n, c) 0/1, or values as the task learns them.
    """

    task: Task
    features: Any
    wanted: FloatArray

    def search(self, learnt: Rows, held_out: Rows) -> tuple[float, Linear]:
        """Return the strength that does best on the rows held out, with its model."""
        tried: list[tuple[float, float, Linear]] = []
        model = None
        for strength in VALUE_STRENGTHS if self.task.has_values else CLASS_STRENGTHS:
            model = self.learn(learnt, strength, model)
            tried.append((self._loss(model, held_out), strength, model))
        _, strength, model = min(tried, key=lambda entry: entry[0])
        return strength, model

    def learn(self, rows: Rows, strength: float, start: Linear | None) -> Linear:
        """Return the model of ``rows``; ``start`` makes it quicker."""
        centre, unit = self._scale()
        is_binary = self.task.type is TaskType.BINARY
        return fit_linear(
            self.features[rows],
            (self.wanted[rows] - centre) / unit,
            _link(self.task),
            strength,
            # Yes and no count alike: with one scam in twenty, no would otherwise always do.
            row_weights=prior_weights(self.wanted[rows, 0], 0.5) if is_binary else None,
            start=start,
        )

    def calibrate(self, model: Linear, held_out: Rows) -> Calibration:
        """Return what turns outputs into answers, found on rows not learnt from."""
        outputs, wanted = model.outputs(self.features[held_out]), self.wanted[held_out]
        if self.task.type is TaskType.CLASSIFICATION:
            return Calibration(temperature=fit_temperature(outputs, wanted.argmax(axis=1)))
        if not self.task.has_values:
            return _calibrate_odds(self.task, outputs.ravel(), wanted.ravel())
        centre, unit = self._scale()
        values = centre + unit * outputs[:, 0]
        return Calibration(
            centre=centre, unit=unit, margin=fit_margin(values, values, wanted[:, 0])
        )

    def _scale(self) -> tuple[float, float]:
        if not self.task.has_values:
            return 0.0, 1.0
        return float(self.wanted.mean()), float(self.wanted.std()) or 1.0

    def _loss(self, model: Linear, held_out: Rows) -> float:
        outputs, wanted = model.outputs(self.features[held_out]), self.wanted[held_out]
        if self.task.has_values:
            centre, unit = self._scale()
            return float(np.abs(centre + unit * outputs - wanted).mean())
        answers = _to_answers(self.task, outputs, self.calibrate(model, held_out))
        weights = prior_weights(wanted.ravel(), self.task.base_rate)
        right = np.where(wanted.ravel() > 0.5, answers.ravel(), 1 - answers.ravel())
        losses = -np.log(np.clip(right, SMALLEST_PROBABILITY, 1.0))
        return float((weights * losses).mean())


def _link(task: Task) -> Link:
    if task.has_values:
        return "identity"
    return "softmax" if task.type is TaskType.CLASSIFICATION else "sigmoid"


def _to_matrix(task: Task, targets: FloatArray) -> FloatArray:
    if task.type is TaskType.CLASSIFICATION:
        wanted: FloatArray = np.eye(len(task.classes))[targets.astype(int)]
        return wanted
    if task.type is TaskType.MULTILABEL:
        return targets
    values = np.log(targets) if task.transform == "log" else targets
    return values.reshape(-1, 1)


def _calibrate_odds(task: Task, logits: FloatArray, targets: FloatArray) -> Calibration:
    weights = prior_weights(targets, task.base_rate)
    slope, intercept = fit_platt(logits, targets, weights)
    platt = Calibration(slope=slope, intercept=intercept)
    if task.type is not TaskType.BINARY:
        return platt
    probabilities = to_probability(logits, platt)
    return replace(platt, threshold=fit_threshold(probabilities, targets, weights, task.precision))


def _to_answers(task: Task, outputs: FloatArray, calibration: Calibration) -> FloatArray:
    if task.type is TaskType.CLASSIFICATION:
        return np.asarray(softmax(outputs / calibration.temperature, axis=1))
    if not task.has_values:
        probabilities = to_probability(outputs, calibration)
        return probabilities[:, 0] if task.type is TaskType.BINARY else probabilities
    value = calibration.centre + calibration.unit * outputs[:, 0]
    margin = calibration.margin
    return task.to_value(np.stack([value - margin, value, value + margin], axis=1))
