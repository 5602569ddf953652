"""Probabilities and intervals mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from jobsentinel_workers.multi_task.calibration import (
    Calibration,
    fit_margin,
    fit_platt,
    fit_temperature,
    fit_threshold,
    prior_weights,
    to_probability,
)


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4_000, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.array([rng.choice(5, p=row) for row in probabilities])

    assert fit_temperature(logits * 3, targets) == pytest.approx(3.0, rel=0.1)


def test_platt_recovers_the_true_probabilities() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5_000)
    targets = (rng.random(5_000) < expit(truth)).astype(float)

    slope, intercept = fit_platt(truth * 2 + 3, targets, np.ones(5_000))

    assert slope == pytest.approx(0.5, rel=0.1)
    assert intercept == pytest.approx(-1.5, abs=0.2)


def test_a_base_rate_brings_enriched_probabilities_down_to_life() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random(4_000) < 0.6).astype(float)
    logits = rng.normal(size=4_000) + targets
    weights = prior_weights(targets, 0.05)

    slope, intercept = fit_platt(logits, targets, weights)
    probabilities = to_probability(logits, Calibration(slope=slope, intercept=intercept))

    assert np.average(probabilities, weights=weights) == pytest.approx(0.05, abs=0.01)


def test_the_threshold_separates_what_can_be_separated() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.7, 0.8])
    targets = np.array([0.0, 0.0, 0.0, 1.0, 1.0])

    threshold = fit_threshold(probabilities, targets, np.ones(5))

    assert threshold == pytest.approx(0.5)


def test_intervals_hold_eight_in_ten_unseen_values() -> None:
    rng = np.random.default_rng(0)
    seen, unseen = rng.normal(size=2_000), rng.normal(size=2_000)
    lows, highs = np.full(2_000, -0.2), np.full(2_000, 0.2)

    margin = fit_margin(lows, highs, seen)
    inside = (unseen >= -0.2 - margin) & (unseen <= 0.2 + margin)

    assert inside.mean() == pytest.approx(0.8, abs=0.03)
