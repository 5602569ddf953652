"""The measures of a ranking, beside those of scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from jobsentinel_workers.reranking.ranking_measures import (
    MEASURES,
    RankedGrades,
    measure,
    ndcg_at,
    precision_at,
    recall_at,
    reciprocal_rank_at,
)


@pytest.mark.parametrize("seed", range(20))
def test_ndcg_is_that_of_scikit_learn_for_graded_relevance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grades = rng.integers(0, 4, 30).astype(float)
    grades[0] = 1.0  # scikit-learn leaves queries without gains undefined
    scores = rng.normal(size=30)

    ranked = grades[np.argsort(-scores)]

    expected = ndcg_score(grades[None], scores[None], k=10)
    assert ndcg_at(RankedGrades(ranked.tolist(), grades.tolist())) == pytest.approx(expected)


def test_the_best_order_has_ndcg_one_and_none_found_has_zero() -> None:
    given = [3.0, 1.0, 2.0, 0.0]

    assert ndcg_at(RankedGrades([3, 2, 1, 0], given)) == 1.0
    assert ndcg_at(RankedGrades([0, 0, 0], given)) == 0.0
    assert ndcg_at(RankedGrades([], given)) == 0.0


def test_a_document_that_was_not_found_lowers_ndcg() -> None:
    assert ndcg_at(RankedGrades([1], [1, 1])) == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_the_rank_of_the_first_relevant_document_counts() -> None:
    assert reciprocal_rank_at(RankedGrades([0, 0, 1, 1], [1, 1])) == pytest.approx(1 / 3)
    assert reciprocal_rank_at(RankedGrades([0] * 9 + [1], [1])) == pytest.approx(1 / 10)
    assert reciprocal_rank_at(RankedGrades([0] * 10 + [1], [1])) == 0.0


def test_places_that_nothing_fills_lower_the_precision() -> None:
    assert precision_at(RankedGrades([1, 0, 1], [1, 1])) == pytest.approx(0.2)
    assert precision_at(RankedGrades([1] * 12, [1] * 12)) == 1.0


def test_recall_counts_all_that_is_relevant_also_what_was_not_found() -> None:
    ranked = [0.0] * 99 + [1.0, 1.0]

    assert recall_at(RankedGrades(ranked, [1, 1, 1, 1, 0])) == pytest.approx(1 / 4)


def test_a_least_grade_decides_what_is_relevant_but_not_what_is_a_gain() -> None:
    lenient = RankedGrades([0.5, 1.0], [0.5, 1.0])
    strict = RankedGrades([0.5, 1.0], [0.5, 1.0], relevant_from=1.0)

    assert reciprocal_rank_at(lenient) == 1.0
    assert reciprocal_rank_at(strict) == 0.5
    assert precision_at(strict) == pytest.approx(0.1)
    assert recall_at(strict) == 1.0
    assert ndcg_at(strict) == ndcg_at(lenient)


def test_grade_zero_is_never_relevant() -> None:
    assert measure(RankedGrades([0, 0], [0, 0])).tolist() == [0.0] * len(MEASURES)
