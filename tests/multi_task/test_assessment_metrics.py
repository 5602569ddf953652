"""Metrics agree with scikit-learn and SciPy, for all rows and for any resample of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics as sk

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment import METRICS, Judged, headline, measure
from jobsentinel_workers.multi_task.assessment.metrics import measure_resamples
from jobsentinel_workers.multi_task.calibration import prior_weights
from jobsentinel_workers.multi_task.tasks import Task, TaskType

CLASSES = ("a", "b", "c", "d", "e")
CATEGORY = Task("category", TaskType.CLASSIFICATION, classes=CLASSES)
FUNCTIONS = Task("functions", TaskType.MULTILABEL, classes=CLASSES)
SCAM = Task("scam", TaskType.BINARY, base_rate=0.05)
SALARY = Task("salary", TaskType.QUANTILE, transform="log", unit="USD a year")
MATCH = Task("match", TaskType.REGRESSION, minimum=0.0, maximum=1.0)
TASKS = (CATEGORY, FUNCTIONS, SCAM, SALARY, MATCH)


def invent(task: Task, rows: int, seed: int) -> Judged:
    """Answers that know something of the truth, with ties among them."""
    rng = np.random.default_rng(seed)
    if task.has_classes:
        answers = rng.dirichlet(np.full(len(task.classes), 0.5), rows).round(2)
        answers /= answers.sum(axis=1, keepdims=True)
        drawn = rng.random((rows, len(task.classes))) < answers
        if task.type is TaskType.MULTILABEL:
            return Judged(task, drawn.astype(float), answers)
        return Judged(task, (answers + rng.random(answers.shape)).argmax(axis=1) * 1.0, answers)
    if task.type is TaskType.BINARY:
        answers = rng.random(rows).round(2)
        return Judged(task, (rng.random(rows) < answers).astype(float), answers, threshold=0.4)
    value = (
        np.exp(rng.normal(11, 0.5, rows)) if task is SALARY else (0.01 + rng.random(rows)).round(2)
    )
    answers = np.stack([value * 0.7, value, value * 1.4], axis=1)
    return Judged(task, value * np.exp(rng.normal(0, 0.4, rows)), answers)


def reference(judged: Judged) -> dict[str, float]:
    """The same metrics from other people's code."""
    targets, answers = judged.targets, judged.answers
    if judged.task is CATEGORY:
        best, labels = answers.argmax(axis=1), range(len(CLASSES))
        present = np.unique(targets)
        return {
            "accuracy": sk.accuracy_score(targets, best),
            "macro_f1": sk.f1_score(targets, best, labels=present, average="macro"),
            "log_loss": sk.log_loss(targets, np.clip(answers, 1e-15, 1), labels=labels),
        }
    if judged.task is FUNCTIONS:
        best = answers.argmax(axis=1)
        return {
            "hit_rate": targets[np.arange(len(targets)), best].mean(),
            "average_precision": sk.average_precision_score(targets, answers, average="micro"),
        }
    if judged.task is SCAM:
        return binary_reference(judged)
    value = answers[:, 1]
    found = {
        "mae": sk.mean_absolute_error(targets, value),
        "mdape": np.median(np.abs(value - targets) / targets),
        "spearman": spearmanr(targets, value).statistic,
        "coverage": ((targets >= answers[:, 0]) & (targets <= answers[:, 2])).mean(),
    }
    if judged.task is SALARY:
        widths = (answers[:, 2] - answers[:, 0]) / value
        r2 = sk.r2_score(np.log(targets), np.log(value))
        return found | {"r2_log": r2, "interval_width": np.median(widths)}
    widths = answers[:, 2] - answers[:, 0]
    return found | {"r2": sk.r2_score(targets, value), "interval_width": np.median(widths)}


def binary_reference(judged: Judged) -> dict[str, float]:
    targets, answers = judged.targets, judged.answers
    yes, weights = answers >= judged.threshold, prior_weights(targets, 0.05)
    at_base_rate: dict[str, Any] = {"sample_weight": weights}
    return {
        "pr_auc": sk.average_precision_score(targets, answers),
        "roc_auc": sk.roc_auc_score(targets, answers),
        "f1": sk.f1_score(targets, yes),
        "precision": sk.precision_score(targets, yes),
        "recall": sk.recall_score(targets, yes),
        "brier": np.average((answers - targets) ** 2, weights=weights),
        "pr_auc_at_base_rate": sk.average_precision_score(targets, answers, **at_base_rate),
        "f1_at_base_rate": sk.f1_score(targets, yes, **at_base_rate),
        "precision_at_base_rate": sk.precision_score(targets, yes, **at_base_rate),
    }


def take(judged: Judged, rows: np.ndarray[Any, Any]) -> Judged:
    return Judged(judged.task, judged.targets[rows], judged.answers[rows], judged.threshold)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("rows", [40, 41, 700])
def test_metrics_agree_with_other_code(task: Task, rows: int) -> None:
    judged = invent(task, rows, seed=rows)

    found = measure(judged)

    expected = reference(judged)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_counting_a_row_twice_is_having_it_twice(task: Task) -> None:
    judged = invent(task, 60, seed=5)
    rows = np.random.default_rng(6).integers(0, 60, (4, 60))
    counts = np.stack([np.bincount(row, minlength=60) for row in rows]).astype(float)

    found = measure_resamples(judged, counts)

    for place, row in enumerate(rows):
        expected = measure(take(judged, row))
        assert {name: found[name][place] for name in expected} == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(
    task=st.sampled_from(TASKS), rows=st.integers(1, 30), seed=st.integers(0, 10**6), data=st.data()
)
def test_metrics_are_finite_in_bounds_and_blind_to_order(
    task: Task, rows: int, seed: int, data: st.DataObject
) -> None:
    judged = invent(task, rows, seed)

    found = measure(judged)

    order = np.array(data.draw(st.permutations(range(rows))))
    assert measure(take(judged, order)) == pytest.approx(found, abs=1e-9)
    assert set(found) <= set(METRICS)
    assert np.isfinite(list(found.values())).all()
    shares = [value for name, value in found.items() if METRICS[name].counts_successes]
    assert all(-1e-9 <= value <= 1 + 1e-9 for value in shares)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_perfect_answers_measure_perfect(task: Task) -> None:
    judged = invent(task, 50, seed=2)
    targets = judged.targets
    if task is FUNCTIONS:
        targets = np.eye(len(CLASSES))[targets.argmax(axis=1)]
    answers = targets
    if task is CATEGORY:
        answers = np.eye(len(CLASSES))[targets.astype(int)]
    elif task.has_values:
        answers = np.stack([targets] * 3, axis=1)

    found = measure(Judged(task, targets, answers))

    best = {"higher": 1.0, "lower": 0.0, "nearer": 1.0}
    assert found == pytest.approx({name: best[METRICS[name].better] for name in found})
    assert headline(task) in found


def test_a_model_that_says_what_happens_is_calibrated_and_a_boaster_is_not() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(20_000)
    targets = (rng.random(20_000) < truth).astype(float)
    task = Task("scam", TaskType.BINARY)

    honest = measure(Judged(task, targets, truth))["calibration_error"]
    boaster = measure(Judged(task, targets, np.round(truth)))["calibration_error"]

    assert honest < 0.015
    assert boaster == pytest.approx(0.25, abs=0.01)


def test_probabilities_are_held_against_the_base_rate_they_are_meant_for() -> None:
    rng = np.random.default_rng(0)
    in_life = rng.random(40_000) < 0.05
    score = rng.normal(size=40_000) + 2 * in_life
    odds = 0.05 / 0.95 * np.exp(2 * score - 2)  # Bayes' rule for two normal distributions
    probability = odds / (1 + odds)
    kept = in_life | (rng.random(40_000) < 0.05)  # enriched: about as many scams as others
    targets, answers = in_life[kept].astype(float), probability[kept]

    at_base_rate = measure(Judged(SCAM, targets, answers))
    as_judged = measure(Judged(Task("scam", TaskType.BINARY), targets, answers))

    assert at_base_rate["calibration_error"] < 0.02
    assert as_judged["calibration_error"] > 0.1


def test_what_the_rows_do_not_define_is_left_out() -> None:
    one_class = measure(Judged(SCAM, np.zeros(5), np.full(5, 0.1)))
    constant = measure(Judged(MATCH, np.arange(5) / 5, np.full((5, 3), 0.5)))
    alike = measure(Judged(MATCH, np.full(5, 0.3), np.full((5, 3), 0.5)))
    two_classes = Task("remote", TaskType.CLASSIFICATION, classes=("yes", "no"))

    assert one_class == {}
    assert "spearman" not in constant
    assert "mdape" not in constant  # a target is zero
    assert "r2" not in alike
    assert "top_3" not in measure(Judged(two_classes, np.zeros(3), np.full((3, 2), 0.5)))
    assert measure(Judged(MATCH, np.zeros(0), np.zeros((0, 3)))) == {}


@pytest.mark.parametrize(
    ("task", "targets", "answers", "problem"),
    [
        (SCAM, [0.0, np.nan], [0.1, 0.2], "with a label"),
        (SCAM, [0.0, 2.0], [0.1, 0.2], "from 0 to 1"),
        (SCAM, [0.0, 1.0], [0.1, 1.2], "probabilities"),
        (SCAM, [0.0, 1.0], [[0.1], [0.2]], "shape"),
        (CATEGORY, [5.0], [[0.2] * 5], "from 0 to 4"),
        (FUNCTIONS, [1.0], [[0.2] * 5], "shape"),
        (MATCH, [0.5], [[0.6, 0.5, 0.7]], "low <= value"),
        (SALARY, [0.0], [[1.0, 2.0, 3.0]], "above 0"),
    ],
)
def test_arrays_that_do_not_fit_the_task_are_refused(
    task: Task, targets: list[float], answers: list[Any], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        Judged(task, np.array(targets), np.array(answers))
