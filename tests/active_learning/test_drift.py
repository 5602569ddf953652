"""Drift between samples of embeddings: its size, its test, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.drift import MAX_VECTORS, measure_drift


def cloud(rng: np.random.Generator, size: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Unit vectors (size, 32) around a direction."""
    vectors = rng.normal(size=(size, 32))
    vectors[:, 0] += 3 + shift
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def test_the_effect_is_the_energy_distance_over_the_mean_distance_between() -> None:
    rng = np.random.default_rng(0)
    first, second = cloud(rng, 40), cloud(rng, 25, shift=2)

    drift = measure_drift(first, second, permutations=9)

    within = [cdist(x, x).sum() / (len(x) * (len(x) - 1)) for x in (first, second)]
    between = cdist(first, second).mean()
    assert drift.effect == pytest.approx((2 * between - sum(within)) / (2 * between))
    assert (drift.reference, drift.recent) == (40, 25)


def test_another_kind_of_postings_is_found_and_the_same_kind_is_not() -> None:
    rng = np.random.default_rng(1)

    other = measure_drift(cloud(rng, 100), cloud(rng, 60, shift=2))
    same = measure_drift(cloud(rng, 100), cloud(rng, 60))

    assert other.effect > 0.01
    assert other.p_value == 1 / 1_000
    assert abs(same.effect) < 0.005


def test_the_test_holds_its_level() -> None:
    rng = np.random.default_rng(2)

    found = [
        measure_drift(cloud(rng, 40), cloud(rng, 30), permutations=19, seed=n).p_value
        for n in range(200)
    ]

    assert np.mean(np.array(found) <= 0.05) <= 0.1
    assert np.median(found) == pytest.approx(0.5, abs=0.15)


def test_a_small_sample_of_the_same_kind_looks_no_more_drifted_than_a_large_one() -> None:
    rng = np.random.default_rng(3)

    effects = [
        measure_drift(cloud(rng, 200), cloud(rng, 30), permutations=1).effect for _ in range(60)
    ]

    assert abs(np.mean(effects)) < 0.001


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100), scale=st.floats(0.01, 100))
def test_order_of_samples_and_scale_do_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = cloud(rng, 20), cloud(rng, 30, shift=1)

    there, back = (
        measure_drift(*pair, permutations=1).effect
        for pair in ((first, second), (scale * second, scale * first))
    )

    assert there == pytest.approx(back, abs=1e-9)


def test_points_that_are_all_one_do_not_drift_from_themselves_and_wholly_from_another() -> None:
    ones, zeros = np.ones((30, 4)), np.zeros((30, 4))

    assert measure_drift(ones, ones).effect == 0.0
    assert measure_drift(ones, ones).p_value == 1.0
    assert measure_drift(ones, zeros).effect == 1.0


@pytest.mark.parametrize(
    ("reference", "recent", "says"),
    [
        (np.ones((5, 3)), np.ones((5, 4)), "recent: has 4 dimensions, the reference 3"),
        (np.ones((1, 3)), np.ones((5, 3)), "reference: must be 2 to 300 vectors"),
        (np.ones((5, 3)), np.ones((MAX_VECTORS + 1, 3)), "recent: must be 2 to 300 vectors"),
        (np.ones(5), np.ones((5, 3)), "reference: must be 2 to 300 vectors"),
        (np.ones((5, 3)), np.full((5, 3), np.nan), "recent: holds NaN or infinity"),
    ],
)
def test_what_are_no_two_samples_is_refused_by_name(reference: Any, recent: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        measure_drift(reference, recent)
