"""What scikit-activeml does not have, against a brute-force version of each method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from tests.active_learning.pools import everything, looked_at

from jobsentinel_workers.active_learning import select
from jobsentinel_workers.active_learning.k_means import distances_to_own, k_means
from jobsentinel_workers.active_learning.vectors import check_embeddings

SEEDS = [0, 1, 2]


def ours(strategy: str, given: dict[str, Any], count: int) -> list[int]:
    return select(strategy, num_samples=count, random_share=0, **looked_at(strategy, given)).indices


@pytest.mark.parametrize("seed", SEEDS)
def test_the_expected_gradient_length_is_that_of_every_gradient_built(seed: int) -> None:
    given = everything(30, seed=seed)
    expected = [
        sum(
            chance * np.linalg.norm(np.outer(row - np.eye(4)[label], x))
            for label, chance in enumerate(row)
        )
        for row, x in zip(given["probabilities"], given["embeddings"], strict=True)
    ]
    chosen = select("gradient-length", num_samples=5, **looked_at("gradient-length", given))
    assert chosen.scores == pytest.approx(expected)
    assert ours("gradient-length", given, 5) == np.argsort(expected)[::-1][:5].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_margin_with_k_center_spreads_over_the_closest_margins(seed: int) -> None:
    given = everything(80, seed=seed)
    top = np.sort(given["probabilities"], axis=1)
    among = np.argsort(top[:, -1] - top[:, -2])[:40].tolist()
    unit = given["embeddings"] / np.linalg.norm(given["embeddings"], axis=1, keepdims=True)
    labelled = given["labelled_embeddings"]
    covered = list(labelled / np.linalg.norm(labelled, axis=1, keepdims=True))
    expected = []
    for _ in range(4):
        farthest = max(among, key=lambda at: min(np.linalg.norm(unit[at] - c) for c in covered))
        expected.append(farthest)
        covered.append(unit[farthest])
        among.remove(farthest)
    assert ours("margin-k-center", given, 4) == expected


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("strategy", ["k-center", "gsx"])
def test_with_nothing_labelled_the_middle_of_the_pool_comes_first(strategy: str, seed: int) -> None:
    given = everything(40, labelled=0, seed=seed)
    unit = given["embeddings"] / np.linalg.norm(given["embeddings"], axis=1, keepdims=True)
    first = int(np.linalg.norm(unit - unit.mean(axis=0), axis=1).argmin())
    second = int(np.linalg.norm(unit - unit[first], axis=1).argmax())
    chosen = select(strategy, num_samples=2, random_share=0, embeddings=given["embeddings"])
    assert chosen.indices == [first, second]
    assert "with nothing labelled yet" in chosen.picks[0].reason
    assert chosen.picks[1].reason.startswith("farthest from what is picked (nearest cosine -")


def test_clusters_far_apart_are_those_of_scikit_learn() -> None:
    # Given eight kinds that lie closely together, in more dimensions than clusters are sought in
    rng = np.random.default_rng(3)
    kinds = rng.normal(size=(8, 96))
    truth = rng.integers(0, 8, 400)
    unit, _ = check_embeddings(kinds[truth] + 0.05 * rng.normal(size=(400, 96)))

    centres, labels = k_means(unit, 8, seed=0)

    theirs = KMeans(8, n_init=5, random_state=0).fit(unit)
    assert len({*zip(labels.tolist(), theirs.labels_.tolist(), strict=True)}) == 8
    assert (distances_to_own(unit, centres, labels) ** 2).sum() == pytest.approx(
        theirs.inertia_, rel=1e-4
    )


def test_clusters_of_a_shapeless_pool_are_nearly_as_tight_as_those_of_scikit_learn() -> None:
    unit, _ = check_embeddings(np.random.default_rng(0).normal(size=(1_000, 384)))
    ours_, theirs = [], []
    for seed in range(3):
        centres, labels = k_means(unit, 50, seed)
        ours_.append((distances_to_own(unit, centres, labels) ** 2).sum())
        theirs.append(KMeans(50, n_init=1, random_state=seed).fit(unit).inertia_)
    assert np.mean(ours_) < 1.02 * np.mean(theirs)


def test_a_pool_larger_than_the_sample_that_is_clustered_keeps_every_candidate() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(5, 8))
    truth = rng.integers(0, 5, 20_000)
    unit, _ = check_embeddings(kinds[truth] + 0.01 * rng.normal(size=(20_000, 8)))
    _, labels = k_means(unit, 5, seed=1)
    assert len(labels) == 20_000
    assert len({*zip(labels.tolist(), truth.tolist(), strict=True)}) == 5
