"""Confident learning: small cases worked out by hand, and flips that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.confident_learning import (
    calibrated,
    confident_joint,
    find_suspicious,
    thresholds,
)
from jobsentinel_workers.labelling.out_of_sample import cross_validated, fold_of

# Six labels of two classes. The means of the labels' own probabilities are
# (0.9 + 0.8 + 0.1) / 3 = 0.6 for class 0 and (0.8 + 0.7 + 0.3) / 3 = 0.6 for class 1.
LABELS = np.array([0, 0, 0, 1, 1, 1])
FIRST = np.array([0.9, 0.8, 0.1, 0.2, 0.3, 0.7])
PROBABILITIES = np.stack([FIRST, 1 - FIRST], axis=1)


def test_thresholds_are_the_mean_probabilities_of_what_is_labelled_so() -> None:
    assert thresholds(LABELS, PROBABILITIES) == pytest.approx([0.6, 0.6])
    assert thresholds(np.zeros(6, dtype=int), PROBABILITIES) == pytest.approx([0.5, 1.0])


def test_the_confident_joint_counts_labels_by_the_class_that_they_reach() -> None:
    # Rows 0 and 1 reach class 0; row 2, labelled 0, reaches 1 with 0.9; rows 3 and 4 reach 1; and
    # row 5, labelled 1, reaches 0 with 0.7.
    assert confident_joint(LABELS, PROBABILITIES).tolist() == [[2, 1], [1, 2]]


def test_a_row_that_reaches_no_threshold_is_not_counted() -> None:
    # Row 2 has 0.5 for each, and the thresholds are (0.9 + 0.9 + 0.5) / 3 and (0.9 + 0.9) / 2.
    first = np.array([0.9, 0.9, 0.5, 0.1, 0.1])
    labels = np.array([0, 0, 0, 1, 1])

    joint = confident_joint(labels, np.stack([first, 1 - first], axis=1))

    assert joint.tolist() == [[2, 0], [0, 2]]


def test_the_calibrated_joint_has_as_many_labels_a_class_as_were_given() -> None:
    labels = np.array([0] * 6 + [1] * 2 + [2])

    joint = calibrated(np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), labels)

    assert joint.tolist() == [[4.5, 1.5, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]


def test_what_is_suspicious_comes_worst_first_with_margin_and_self_confidence() -> None:
    found = find_suspicious(LABELS, PROBABILITIES)

    assert found.suspicious.tolist() == [2, 5]
    assert found.likeliest.tolist() == [0, 0, 1, 1, 1, 0]
    assert found.margins[[2, 5]] == pytest.approx([(0.1 - 0.9 + 1) / 2, (0.3 - 0.7 + 1) / 2])
    assert found.self_confidences[[2, 5]] == pytest.approx([0.1, 0.3])
    assert found.wrong_share == pytest.approx(2 / 6)


def test_labels_that_the_model_agrees_with_are_never_suspicious() -> None:
    sure = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.4, 0.6]])

    found = find_suspicious(np.array([0, 0, 1, 1]), sure)

    assert len(found.suspicious) == 0
    assert found.wrong_share == 0


@pytest.mark.parametrize(
    ("labels", "probabilities", "field"),
    [
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "labels"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], "labels"),
        ([0.0, 1.0], [[0.5, 0.5], [0.5, 0.5]], "labels"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.6]], "probabilities.1"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "probabilities"),
        ([0, 1], [[0.5, 0.5], [-0.5, 1.5]], "probabilities"),
        ([0, 1], [[1.0], [1.0]], "probabilities"),
        ([0], [[0.5, 0.5], [0.5, 0.5]], "probabilities"),
    ],
)
def test_what_is_no_probability_and_no_class_is_refused_by_name(
    labels: Any, probabilities: Any, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        find_suspicious(np.array(labels), np.array(probabilities))

    assert refused.value.field == field


def flipped(seed: int, share: float) -> tuple[Any, Any, Any]:
    """Return embeddings of four kinds of job, labels of which a share is flipped, and which."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, 24))
    true = np.arange(600) % 4
    points = centres[true] + rng.normal(size=(600, 24)) * 0.9
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    wrong = rng.random(600) < share
    given = np.where(wrong, (true + rng.integers(1, 4, size=600)) % 4, true)
    return points, given, wrong


@pytest.mark.parametrize("seed", range(3))
def test_flipped_labels_are_found_with_few_others(seed: int) -> None:
    # Given 600 texts of four kinds, a twelfth of whose labels are flipped at random
    points, given, wrong = flipped(seed, 1 / 12)

    # When a model judges each label that it did not learn from
    groups = [str(row) for row in range(600)]
    found = find_suspicious(given, cross_validated(points, given, groups=groups))

    # Then it finds nearly all flips and little else, and says about how many there are
    hits = wrong[found.suspicious].sum()
    assert hits / len(found.suspicious) > 0.8
    assert hits / wrong.sum() > 0.8
    assert found.wrong_share == pytest.approx(wrong.mean(), abs=0.04)
    assert wrong[found.suspicious[: wrong.sum() // 2]].mean() > 0.9


def test_a_row_is_judged_by_a_model_that_has_not_seen_it_nor_its_copies() -> None:
    # Given a text that is there five times, always with the same wrong label
    points, given, _ = flipped(0, 0)
    copies = np.repeat(points[:1], 5, axis=0)
    points, labels = np.vstack([points, copies]), np.append(given, [(given[0] + 1) % 4] * 5)
    groups = [str(row) for row in range(600)] + ["0"] * 5

    # When the labels are judged
    p = cross_validated(points, labels, groups=groups)

    # Then the copies did not teach each other
    assert (p[600:].argmax(axis=1) == given[0]).all()


def test_folds_hold_each_class_evenly_and_groups_whole() -> None:
    labels = np.array([0] * 50 + [1] * 10)
    groups = [str(row // 2) for row in range(60)]

    fold = fold_of(labels, groups)

    assert (fold[::2] == fold[1::2]).all()
    assert [int(((fold == at) & (labels == 1)).sum()) for at in range(5)] == [2] * 5


def test_fewer_than_two_classes_cannot_be_judged() -> None:
    with pytest.raises(InvalidInput, match="two or more"):
        cross_validated(np.eye(4), np.zeros(4, dtype=np.intp), groups=list("abcd"))
