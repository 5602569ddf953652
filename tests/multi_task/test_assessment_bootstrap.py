"""Intervals hold the truth as often as they say, also where rows are few or repeat one another."""

from __future__ import annotations

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment import Judged, differences, intervals, measure
from jobsentinel_workers.multi_task.assessment.bootstrap import wilson
from jobsentinel_workers.multi_task.tasks import Task, TaskType

REMOTE = Task("remote", TaskType.CLASSIFICATION, classes=("no", "yes"))
SCAM = Task("scam", TaskType.BINARY)
MATCH = Task("match", TaskType.REGRESSION)


def judge_remote(right: np.ndarray[tuple[int], np.dtype[np.bool_]], confidence: float) -> Judged:
    """Answers of one confidence, right where ``right``."""
    answers = np.tile([confidence, 1 - confidence], (len(right), 1))
    return Judged(REMOTE, (~right).astype(float), answers)


def judge_scam(rows: int, seed: int, noise: float = 1.0) -> Judged:
    rng = np.random.default_rng(seed)
    targets = (np.arange(rows) % 2).astype(float)
    score = targets + rng.normal(scale=noise, size=rows)
    return Judged(SCAM, targets, 1 / (1 + np.exp(-score)))


def test_intervals_hold_their_values_and_all_metrics_have_one() -> None:
    judged = judge_scam(200, seed=1)

    found = intervals(judged, resamples=200, seed=3)

    assert {name: metric.value for name, metric in found.items()} == measure(judged)
    assert all(metric.low <= metric.value <= metric.high for metric in found.values())


def test_the_same_seed_gives_the_same_intervals_and_another_gives_others() -> None:
    judged = judge_scam(100, seed=1)

    first, again = (intervals(judged, resamples=50, seed=7) for _ in range(2))

    assert first == again
    assert intervals(judged, resamples=50, seed=8) != first


def test_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    truth = 0.8

    held = []
    for sample in range(200):
        judged = judge_remote(rng.random(60) < truth, confidence=truth)
        accuracy = intervals(judged, resamples=300, seed=sample)["accuracy"]
        held.append(accuracy.low <= truth <= accuracy.high)

    assert np.mean(held) == pytest.approx(0.95, abs=0.04)


def test_the_interval_of_a_calibrated_model_reaches_down_to_no_error() -> None:
    rng = np.random.default_rng(0)

    lowest, values = [], []
    for sample in range(40):
        truth = rng.random(300)
        judged = Judged(SCAM, (rng.random(300) < truth).astype(float), truth)
        error = intervals(judged, resamples=200, seed=sample)["calibration_error"]
        lowest.append(error.low)
        values.append(error.value)

    assert np.mean(np.array(lowest) < 0.005) > 0.85
    assert min(values) > 0.02  # what the noise of 300 rows alone looks like


def test_three_rows_say_next_to_nothing() -> None:
    mixed = intervals(judge_remote(np.array([True, True, False]), 0.9), seed=0)["accuracy"]
    faultless = intervals(judge_remote(np.array([True, True, True]), 0.9), seed=0)["accuracy"]

    assert (mixed.low, mixed.high) == (0.0, 1.0)
    assert (faultless.low, faultless.high) == pytest.approx(wilson(1.0, 3))
    assert faultless.low < 0.5


def test_one_row_or_one_group_has_no_interval() -> None:
    judged = judge_scam(10, seed=0)

    assert intervals(judge_scam(1, seed=0)) == {}
    assert intervals(judged, groups=np.zeros(10, dtype=np.int64)) == {}


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_repeated_rows_count_once_when_their_groups_are_known() -> None:
    judged = judge_scam(60, seed=2)
    copies = np.repeat(np.arange(60), 10)
    repeated = Judged(SCAM, judged.targets[copies], judged.answers[copies])

    once = intervals(judged, resamples=400, seed=0)["brier"]
    believed = intervals(repeated, resamples=400, seed=0)["brier"]
    grouped = intervals(repeated, groups=copies, resamples=400, seed=0)["brier"]

    assert believed.high - believed.low < 0.5 * (once.high - once.low)
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high))


def test_a_model_does_not_differ_from_itself() -> None:
    judged = judge_scam(30, seed=4)

    found = differences(judged, judged, resamples=100, seed=0)

    assert found
    assert all((gap.value, gap.low, gap.high) == (0.0, 0.0, 0.0) for gap in found.values())


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    better, worse = judge_scam(400, seed=5), judge_scam(400, seed=5, noise=1.2)

    gap = differences(better, worse, resamples=300, seed=0)["brier"]

    own, others = (intervals(j, resamples=300, seed=0)["brier"] for j in (better, worse))
    assert gap.value == pytest.approx(own.value - others.value)
    assert gap.excludes_zero
    assert gap.high - gap.low < own.high - own.low


def test_two_faultless_models_are_not_shown_to_be_the_same() -> None:
    right = np.array([True] * 4)

    gap = differences(judge_remote(right, 0.9), judge_remote(right, 0.6), seed=0)["accuracy"]

    assert gap.value == 0.0
    assert gap.low < -0.3
    assert gap.high > 0.3


def test_what_only_one_model_defines_is_not_compared() -> None:
    targets = np.linspace(0.1, 1, 20)
    constant = Judged(MATCH, targets, np.full((20, 3), 0.5))
    reader = Judged(MATCH, targets, np.stack([targets - 0.1, targets, targets + 0.1], axis=1))

    found = differences(reader, constant, resamples=50, seed=0)

    assert "spearman" not in found
    assert found["mae"].value < 0


def test_other_rows_cannot_be_paired() -> None:
    with pytest.raises(InvalidInput, match="same rows"):
        differences(judge_scam(10, seed=0), judge_scam(12, seed=0), resamples=10)
    with pytest.raises(InvalidInput, match="one a row"):
        intervals(judge_scam(10, seed=0), groups=np.arange(9))


def test_draws_without_a_scam_are_left_out() -> None:
    targets = np.array([1.0] + [0.0] * 9)
    answers = np.linspace(0.9, 0.1, 10)

    found = intervals(Judged(SCAM, targets, answers), resamples=200, seed=0)

    assert found["roc_auc"].value == 1.0
    assert found["roc_auc"].low < 0.5  # one scam is one trial
