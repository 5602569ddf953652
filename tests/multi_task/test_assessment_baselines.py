"""Baselines are as strong as a plain model gets, and cope with any labels."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import random as random_sparse
from sklearn.linear_model import LogisticRegression, Ridge

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment import (
    Judged,
    constant_baseline,
    fit_baseline,
    headline,
    measure,
)
from jobsentinel_workers.multi_task.assessment.linear import Link, fit_linear
from jobsentinel_workers.multi_task.tasks import Task, TaskType

TRADES = {
    "nursing": "patients ward hospital medication care",
    "software": "python services code database deploy",
    "logistics": "lorry warehouse pallets route delivery",
    "teaching": "pupils school lessons classroom curriculum",
}
FILLER = ("we", "are", "friendly", "team", "offer", "good", "terms", "join", "us", "in", "town")
CLASSES = tuple(TRADES)
CATEGORY = Task("category", TaskType.CLASSIFICATION, classes=CLASSES)
FUNCTIONS = Task("functions", TaskType.MULTILABEL, classes=CLASSES)
SCAM = Task("scam", TaskType.BINARY)
SALARY = Task("salary", TaskType.QUANTILE, transform="log", minimum=1_000.0, maximum=1e6)
MATCH = Task("match", TaskType.REGRESSION, minimum=0.0, maximum=1.0)
TASKS = (CATEGORY, FUNCTIONS, SCAM, SALARY, MATCH)

Floats = npt.NDArray[np.float64]


def write_postings(rows: int, seed: int) -> tuple[list[str], dict[Task, Floats]]:
    """Texts whose words give away every label, mostly."""
    rng = np.random.default_rng(seed)
    trades = rng.integers(0, len(CLASSES), rows)
    texts = []
    for trade in trades:
        telling = rng.choice(TRADES[CLASSES[trade]].split(), 2)
        texts.append(" ".join([*rng.choice(FILLER, 8), *telling]))
    several = np.eye(len(CLASSES))[trades]
    several[:, 0] = np.maximum(several[:, 0], several[:, 1])
    pay = np.array([40_000.0, 90_000.0, 30_000.0, 50_000.0])[trades]
    return texts, {
        CATEGORY: trades.astype(float),
        FUNCTIONS: several,
        SCAM: (trades == 2).astype(float),
        SALARY: pay * np.exp(rng.normal(0, 0.1, rows)),
        MATCH: np.clip(trades / 4 + rng.normal(0, 0.05, rows), 0, 1),
    }


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_words_beat_the_constant_where_words_tell(task: Task) -> None:
    texts, labels = write_postings(300, seed=1)
    unseen, truth = write_postings(200, seed=2)

    words = measure(fit_baseline(task, texts, labels[task]).judge(unseen, truth[task]))
    constant = measure(constant_baseline(task, labels[task]).judge(unseen, truth[task]))

    name = headline(task)
    if task.has_values:
        assert words[name] < 0.5 * constant[name]
        assert words["coverage"] == pytest.approx(0.8, abs=0.12)
        assert constant["coverage"] == pytest.approx(0.8, abs=0.12)
    else:
        assert words[name] > 0.95
        assert words[name] > constant[name] + 0.2


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_handful_of_rows_is_enough_to_run(task: Task) -> None:
    texts, labels = write_postings(3, seed=3)

    judged = fit_baseline(task, texts, labels[task]).judge(texts, labels[task])

    assert judged.rows == 3
    assert np.isfinite(judged.answers).all()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_labels_that_are_all_alike_teach_that_they_are(task: Task) -> None:
    texts, labels = write_postings(60, seed=4)
    alike = np.repeat(labels[task][:1], 60, axis=0)

    judged = fit_baseline(task, texts, alike).judge(texts, alike)

    expected = judged.answers[:, 1] if task.has_values else judged.answers
    wanted = np.eye(len(CLASSES))[alike.astype(int)] if task is CATEGORY else alike
    assert expected == pytest.approx(wanted, rel=0.1, abs=0.2)


def test_a_class_with_one_row_and_classes_with_none_do_no_harm() -> None:
    many = Task("many", TaskType.CLASSIFICATION, classes=tuple(f"class {n}" for n in range(35)))
    texts, labels = write_postings(200, seed=5)
    targets = labels[CATEGORY].copy()
    targets[0] = 34.0

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judged = fit_baseline(many, texts, targets).judge(texts, targets)

    assert judged.answers.shape == (200, 35)
    assert judged.answers.sum(axis=1) == pytest.approx(1.0)
    assert measure(judged)["accuracy"] > 0.95


def test_the_same_seed_gives_the_same_answers() -> None:
    texts, labels = write_postings(80, seed=6)

    first, again = (
        fit_baseline(SCAM, texts, labels[SCAM], seed=1).judge(texts, labels[SCAM]) for _ in range(2)
    )

    assert first.answers_like(again)


def test_a_scarce_answer_is_found_at_the_base_rate_of_life() -> None:
    rare = Task("scam", TaskType.BINARY, base_rate=0.05)
    texts, labels = write_postings(400, seed=7)

    judged = fit_baseline(rare, texts, labels[SCAM]).judge(texts, labels[SCAM])

    found = measure(judged)
    assert found["recall"] > 0.95
    assert found["precision_at_base_rate"] > 0.9
    assert found["brier"] < 0.02


def test_a_task_that_asks_for_precision_has_its_threshold_set_for_it() -> None:
    rng = np.random.default_rng(0)
    texts, labels = write_postings(400, seed=8)
    noisy = np.where(rng.random(400) < 0.15, 1 - labels[SCAM], labels[SCAM])
    asking = Task("scam", TaskType.BINARY, precision=0.95)

    best_f1, precise = (fit_baseline(task, texts, noisy).threshold for task in (SCAM, asking))

    assert precise > best_f1


def test_the_constant_answers_without_reading() -> None:
    texts, labels = write_postings(100, seed=9)
    rare = Task("scam", TaskType.BINARY, base_rate=0.05)

    category, scam, salary = (
        constant_baseline(task, labels[SCAM if task is rare else task]).answer(["", texts[0]])
        for task in (CATEGORY, rare, SALARY)
    )

    assert category.shape == (2, 4)
    assert category[0].argmax() == np.bincount(labels[CATEGORY].astype(int)).argmax()
    assert scam.tolist() == [0.05, 0.05]
    assert salary[1, 1] == np.median(labels[SALARY])


def test_rows_without_labels_or_words_are_refused() -> None:
    with pytest.raises(InvalidInput, match="without a label"):
        fit_baseline(SCAM, ["one", "two"], np.array([1.0, np.nan]))
    with pytest.raises(InvalidInput, match="without a label"):
        constant_baseline(SCAM, np.array([]))
    with pytest.raises(InvalidInput, match="too few words"):
        fit_baseline(SCAM, ["", "?"], np.array([1.0, 0.0]))


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "identity"])
def test_the_solver_agrees_with_scikit_learn(link: Link) -> None:
    rng = np.random.default_rng(0)
    features = random_sparse(120, 30, density=0.3, format="csr", rng=rng)
    hidden = features @ rng.normal(size=(30, 3)) * 3
    if link == "identity":
        targets = hidden[:, :1]
        expected = Ridge(alpha=1 / 2.0).fit(features, targets[:, 0]).predict(features)[:, None]
    else:
        chosen = hidden.argmax(axis=1)
        chosen = np.where(chosen == 2, 1, chosen) if link == "sigmoid" else chosen
        model = LogisticRegression(C=2.0, tol=1e-8, max_iter=5_000).fit(features, chosen)
        expected = model.decision_function(features)
        targets = np.eye(3)[chosen] if link == "softmax" else chosen[:, None].astype(float)

    found = fit_linear(features, targets, link, 2.0).outputs(features)

    if link == "softmax":  # what all classes share cancels
        found, expected = (z - z.mean(axis=1, keepdims=True) for z in (found, expected))
    assert found == pytest.approx(expected.reshape(found.shape), abs=0.03)


def test_answers_are_in_the_form_that_is_judged() -> None:
    texts, labels = write_postings(60, seed=10)

    for task in TASKS:
        judged = fit_baseline(task, texts, labels[task]).judge(texts[:1], labels[task][:1])

        assert isinstance(judged, Judged)
        assert judged.rows == 1
