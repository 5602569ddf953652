"""Labels saved: against itself nothing, by known curves what they say, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.isotonic import isotonic_regression

from jobsentinel_workers.replay import Curve, LearningCurves, compare
from jobsentinel_workers.replay.savings import Floats, labels_to_reach, never_falling

COUNTS = (20, 40, 60, 80, 100)


def curves(strategy: str, values: Floats, counts: tuple[int, ...] = COUNTS) -> list[Curve]:
    """Return a curve a seed out of (seeds, points) values."""
    return [
        Curve(strategy, seed, counts, {"accuracy": tuple(row)}, pool=500, judged=200)
        for seed, row in enumerate(values.tolist())
    ]


def alike(curve: list[float], seeds: int = 8, noise: float = 0.0) -> Floats:
    """Return ``curve`` for each seed, with noise."""
    drawn = np.random.default_rng(5).normal(0, noise, (seeds, len(curve)))
    return np.array(curve)[None] + drawn


RANDOM = [0.50, 0.60, 0.66, 0.70, 0.72]


def test_a_strategy_twice_as_quick_saves_half() -> None:
    quick = alike([0.50, 0.68, 0.76, 0.80, 0.82])
    found = LearningCurves.of(curves("random", alike(RANDOM)) + curves("margin", quick))

    _, margin = compare(found, "accuracy")

    # 0.72 lies half way between the curve's points at 40 and at 60 labels.
    assert margin.saving.labels == pytest.approx(50)
    assert margin.saving.share == pytest.approx(0.5)
    assert (margin.saving.low, margin.saving.high) == pytest.approx((0.5, 0.5))
    assert margin.gain is not None
    assert margin.gain.value == pytest.approx(0.0825)
    assert margin.verdict == "better"


def test_a_strategy_that_never_comes_so_far_is_not_said_to_save_anything() -> None:
    slow = alike([0.50, 0.55, 0.60, 0.62, 0.64])
    found = LearningCurves.of(curves("random", alike(RANDOM)) + curves("entropy", slow))

    _, entropy = compare(found, "accuracy")

    saving = entropy.saving
    assert (saving.labels, saving.share, saving.low, saving.high) == (None, None, None, None)
    assert saving.reached == 0.0
    assert saving.is_certain
    assert entropy.verdict == "worse"


def test_random_against_itself_saves_nothing_however_noisy_it_is() -> None:
    noisy = alike(RANDOM, noise=0.05)
    found = LearningCurves.of(curves("random", noisy) + curves("same", noisy))

    random, same = compare(found, "accuracy")

    assert random.saving.share == 0.0
    assert (same.saving.share, same.saving.low, same.saving.high) == (0.0, 0.0, 0.0)
    assert same.gain is not None
    assert (same.gain.value, same.p_holm) == (0.0, 1.0)


def test_an_end_of_the_interval_is_open_where_some_draws_never_come_so_far() -> None:
    # Half of the seeds learn quickly, the others stay below what random reaches.
    mixed = np.array([[0.5, 0.7, 0.8, 0.85, 0.9], [0.5, 0.52, 0.54, 0.56, 0.58]] * 4)
    found = LearningCurves.of(curves("random", alike(RANDOM)) + curves("badge", mixed))

    _, badge = compare(found, "accuracy")

    assert badge.saving.share is not None
    assert badge.saving.low is None
    assert badge.saving.high is not None
    assert 0.5 < badge.saving.reached < 1.0
    assert not badge.saving.is_certain


def test_intervals_hold_the_true_saving_about_as_often_as_they_promise() -> None:
    counts = tuple(range(20, 220, 20))
    points = np.array(counts)
    truth = 0.4 + 0.1 * np.log(points / 20)
    quick = 0.4 + 0.1 * np.log(1 + 2 * (points - 20) / 20)
    # It reaches the end of random, where points / 20 is 10, at 1 + 2 (n - 20) / 20 = 10.
    true_saving = 1 - 110 / 200
    rng = np.random.default_rng(0)

    held = 0
    for _ in range(40):
        level = rng.normal(0, 0.02, (20, 1))  # a seed's split makes all its curves better or worse
        ours, theirs = (
            curve + level + rng.normal(0, 0.01, (20, len(points))) for curve in (quick, truth)
        )
        found = LearningCurves.of(curves("random", theirs, counts) + curves("margin", ours, counts))
        saving = compare(found, "accuracy")[1].saving
        assert saving.low is not None
        assert saving.high is not None
        held += saving.low <= true_saving <= saving.high

    assert held >= 34  # of 40; at 95 % fewer happen once in three hundred


@given(arrays(np.float64, st.tuples(st.just(3), st.integers(1, 8)), elements=st.floats(0, 1)))
def test_curves_that_never_fall_are_isotonic_regressions(values: Floats) -> None:
    fitted = never_falling(values)

    for row, expected in zip(fitted, values, strict=True):
        np.testing.assert_allclose(row, isotonic_regression(expected), atol=1e-12)


def test_a_quality_is_reached_on_the_line_between_two_points() -> None:
    counts = np.array([20.0, 40.0, 60.0])
    curve = np.array([[0.5, 0.6, 0.6]])

    reached = [
        labels_to_reach(counts, curve, np.array([target]))[0] for target in (0.4, 0.55, 0.6, 0.7)
    ]

    np.testing.assert_allclose(reached, [20, 30, 40, np.inf])


def test_strategies_are_compared_on_the_numbers_of_labels_that_all_pools_allow() -> None:
    short = Curve("random", 0, (20, 40, 55), {"accuracy": (0.5, 0.6, 0.7)}, pool=55, judged=20)
    whole = Curve("random", 1, (20, 40, 60), {"accuracy": (0.5, 0.6, 0.7)}, pool=61, judged=25)

    found = LearningCurves.of([short, whole])

    assert found.label_counts.tolist() == [20, 40]
    assert (found.pools, found.judged) == ((55, 61), (20, 25))
