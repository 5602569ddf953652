"""Metrics agree with the reference implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score

from jobsentinel_workers.fine_tuning.metrics import (
    classification_metrics,
    majority_class,
    regression_metrics,
    similarity_metrics,
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=50))
def test_classification_agrees_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    measured = classification_metrics(truth, predicted)
    assert measured["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert measured["macro_f1"] == pytest.approx(
        f1_score(truth, predicted, average="macro", zero_division=0)
    )


@settings(deadline=None)
@given(st.integers(0, 1_000))
def test_numbers_agree_with_scikit_learn_and_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 9, (2, 20)) / 8
    regression = regression_metrics(truth, predicted)
    assert regression["mae"] == pytest.approx(mean_absolute_error(truth, predicted))
    assert regression["r2"] == pytest.approx(r2_score(truth, predicted))
    similarity = similarity_metrics(truth, predicted)
    assert similarity["spearman"] == pytest.approx(spearmanr(truth, predicted).statistic)


def test_what_is_not_defined_is_none_instead_of_a_number() -> None:
    constant, varied = np.ones(4), np.arange(4.0)
    assert regression_metrics(constant, varied)["r2"] is None
    assert similarity_metrics(varied, constant)["spearman"] is None


def test_the_commonest_class_is_the_first_of_equals() -> None:
    assert majority_class([2, 1, 1, 2, 0]) == 1
