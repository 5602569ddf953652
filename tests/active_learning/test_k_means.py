"""k-means of our own: as tight as scikit-learn's, and whole on pools that have little in them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from jobsentinel_workers.active_learning.k_means import distances_to_own, k_means
from jobsentinel_workers.active_learning.vectors import check_embeddings

SEEDS = range(5)


def like_postings(size: int, width: int = 384) -> np.ndarray:
    """Return unit embeddings as encoders give them: kinds of unequal size, few strong axes."""
    rng = np.random.default_rng(7)
    strength = 1.0 / np.sqrt(1.0 + np.arange(width))
    odds = 1.0 / np.arange(1, 81)
    kinds = rng.normal(size=(80, width)) * strength
    rows = kinds[rng.choice(80, size, p=odds / odds.sum())]
    unit, _ = check_embeddings(rows + rng.normal(size=(size, width)) * strength + 0.05)
    return unit


@pytest.mark.parametrize("count", [15, 50])
def test_clusters_are_as_tight_as_those_of_scikit_learn(count: int) -> None:
    unit = like_postings(1_000)
    ours, theirs = [], []
    with threadpool_limits(1):
        for seed in SEEDS:
            centres, labels = k_means(unit, count, seed)
            ours.append((distances_to_own(unit, centres, labels) ** 2).sum())
            theirs.append(KMeans(count, n_init=1, random_state=seed).fit(unit).inertia_)
    assert np.mean(ours) < 1.01 * np.mean(theirs)


def test_clusters_of_a_pool_above_the_sample_are_nearly_as_tight() -> None:
    unit = like_postings(17_000, width=64)
    with threadpool_limits(1):
        centres, labels = k_means(unit, 10, seed=0)
        theirs = KMeans(10, n_init=1, random_state=0).fit(unit)
    inertia = (distances_to_own(unit, centres, labels) ** 2).sum()
    assert inertia < 1.02 * theirs.inertia_
    assert np.bincount(labels).min() > 0


@pytest.mark.parametrize(("kinds", "copies"), [(1, 1), (3, 50), (7, 200), (1, 3_000)])
def test_copies_make_one_cluster_for_each_kind(kinds: int, copies: int) -> None:
    # Given rows at right angles, each many times and in runs
    unit = np.repeat(np.eye(384, dtype=np.float32)[:kinds], copies, axis=0)

    centres, labels = k_means(unit, 50, seed=1)

    assert len(centres) == kinds
    assert np.bincount(labels).tolist() == [copies] * kinds
    assert distances_to_own(unit, centres, labels).max() < 1e-5


def test_a_pool_of_zeros_is_one_cluster() -> None:
    centres, labels = k_means(np.zeros((40, 384), dtype=np.float32), 5, seed=0)
    assert centres.shape == (1, 384)
    assert not centres.any()
    assert not labels.any()


def test_a_cluster_holds_what_is_nearest_to_its_centre() -> None:
    unit = like_postings(2_100, width=96)
    centres, labels = k_means(unit, 30, seed=2)
    nearest = (unit @ centres.T - (centres**2).sum(axis=1) / 2).argmax(axis=1)
    # The means move once more after the last round, so a few rows at the borders may differ.
    assert (nearest == labels).mean() > 0.95
