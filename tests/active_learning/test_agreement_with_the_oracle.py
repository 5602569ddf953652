"""The same picks as scikit-activeml where a method is deterministic, the same odds where not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare
from skactiveml.pool import (
    Badge,
    ContrastiveAL,
    CoreSet,
    GreedySamplingTarget,
    GreedySamplingX,
    QueryByCommittee,
    RandomSampling,
    TypiClust,
    UncertaintySampling,
)
from tests.active_learning.oracle import Oracle
from tests.active_learning.pools import everything, looked_at

from jobsentinel_workers.active_learning import select
from jobsentinel_workers.active_learning.contrast import NEIGHBOURS
from jobsentinel_workers.active_learning.k_means import k_means
from jobsentinel_workers.active_learning.typicality import NEIGHBOURS as TYPICAL_NEIGHBOURS
from jobsentinel_workers.active_learning.typicality import typicality

SEEDS = [0, 1, 2]
BATCH = 15
DRAWS = 1_000
"""Batches of the fixed seeds from 0 on, so that a test of odds always says the same."""


def ours(strategy: str, given: dict[str, Any], count: int = BATCH, seed: int = 0) -> list[int]:
    """Return our picks, without a random share and with no near-duplicates in the pool."""
    chosen = select(
        strategy, num_samples=count, seed=seed, random_share=0, **looked_at(strategy, given)
    )
    return chosen.indices


def pool(seed: int) -> tuple[dict[str, Any], Oracle]:
    given = everything(120, labelled=25, width=24, seed=seed)
    return given, Oracle(given)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("strategy", "method"),
    [
        ("uncertainty", "least_confident"),
        ("margin", "margin_sampling"),
        ("entropy", "entropy"),
    ],
)
def test_uncertainty_picks_the_same(strategy: str, method: str, seed: int) -> None:
    given, oracle = pool(seed)
    theirs = UncertaintySampling(method=method, random_state=0).query(
        oracle.X, oracle.y(np.zeros(25)), oracle.classifier(), fit_clf=False, batch_size=BATCH
    )
    assert ours(strategy, given) == theirs.tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_committee_divergence_picks_the_same(seed: int) -> None:
    given, oracle = pool(seed)
    members = [oracle.classifier(rows) for rows in given["committee_probabilities"]]
    theirs = QueryByCommittee(method="KL_divergence", random_state=0).query(
        oracle.X, oracle.y(np.zeros(25)), members, fit_ensemble=False, batch_size=BATCH
    )
    assert ours("committee-kl", given) == theirs.tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_vote_entropy_scores_the_same(seed: int) -> None:
    # Votes tie often, and the oracle draws among ties: the scores are compared instead.
    given, oracle = pool(seed)
    members = [oracle.classifier(rows) for rows in given["committee_probabilities"]]
    _, utilities = QueryByCommittee(method="vote_entropy", random_state=0).query(
        oracle.X,
        oracle.y(np.zeros(25)),
        members,
        fit_ensemble=False,
        batch_size=1,
        return_utilities=True,
    )
    chosen = select("vote-entropy", num_samples=BATCH, **looked_at("vote-entropy", given))
    assert chosen.scores == pytest.approx(utilities[0, :120])


@pytest.mark.parametrize("seed", SEEDS)
def test_committee_variance_picks_the_same(seed: int) -> None:
    given, oracle = pool(seed)
    members = [oracle.regressor(values) for values in given["committee_values"]]
    theirs = QueryByCommittee(random_state=0).query(
        oracle.X, oracle.y(np.zeros(25)), members, fit_ensemble=False, batch_size=BATCH
    )
    assert ours("committee-variance", given) == theirs.tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_k_center_picks_the_same(seed: int) -> None:
    given, oracle = pool(seed)
    theirs = CoreSet(random_state=0).query(oracle.X, oracle.y(np.zeros(25)), batch_size=BATCH)
    assert ours("k-center", given) == theirs.tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_contrastive_picks_the_same(seed: int) -> None:
    given, oracle = pool(seed)
    theirs = ContrastiveAL(
        nearest_neighbors_dict={"n_neighbors": NEIGHBOURS}, random_state=0
    ).query(oracle.X, oracle.y(np.zeros(25)), oracle.classifier(), fit_clf=False, batch_size=BATCH)
    assert ours("contrastive", given) == theirs.tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_greedy_sampling_of_embeddings_picks_the_same(seed: int) -> None:
    given, oracle = pool(seed)
    theirs = GreedySamplingX(random_state=0).query(
        oracle.X, oracle.y(given["labelled_values"]), batch_size=BATCH
    )
    assert ours("gsx", given) == theirs.tolist()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("strategy", "method"), [("gsy", "GSy"), ("igs", "GSi")])
def test_greedy_sampling_of_values_picks_the_same(strategy: str, method: str, seed: int) -> None:
    given, oracle = pool(seed)
    theirs = GreedySamplingTarget(method=method, random_state=0).query(
        oracle.X,
        oracle.y(given["labelled_values"]),
        oracle.regressor(),
        fit_reg=False,
        batch_size=BATCH,
    )
    assert ours(strategy, given) == theirs.tolist()


class SameClusters:
    """Our clusters, in the form of the oracle's clustering."""

    def __init__(self, n_clusters: int = 1) -> None:
        self.n_clusters = n_clusters

    def fit_predict(self, X: Any) -> Any:
        return k_means(X.astype(np.float32), self.n_clusters, seed=0)[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_typical_first_picks_are_the_oracles_or_as_good(seed: int) -> None:
    # Given the same clusters on both sides, some of one size, among which the oracle draws
    given, oracle = pool(seed)
    clusters = SameClusters(25 + BATCH).fit_predict(oracle.X)
    sizes = np.bincount(clusters)

    # When both pick
    uncovered = len(np.setdiff1d(clusters, clusters[120:]))
    mine = ours("typiclust", given)
    theirs, utilities = TypiClust(
        cluster_algo=SameClusters, k=TYPICAL_NEIGHBOURS, random_state=0
    ).query(oracle.X, oracle.y(np.zeros(25)), batch_size=BATCH, return_utilities=True)

    # Then both visit the clusters without labels from the largest on, and of those that every
    # order among equals reaches, they pick the same candidates
    count = min(uncovered, BATCH)
    turns = [sizes[clusters[row]] for row in mine[:count]]
    assert turns == sorted(turns, reverse=True) == [sizes[clusters[row]] for row in theirs[:count]]
    sure = [at for at, turn in enumerate(turns) if turn > turns[-1] or count == uncovered]
    assert len(sure) >= 5
    assert {mine[at] for at in sure} == {int(theirs[at]) for at in sure}
    assert typicality(oracle.X.astype(np.float32), clusters)[theirs[:count]] == pytest.approx(
        utilities[range(count), theirs[:count]], rel=1e-4
    )


def test_badge_starts_with_the_same_candidate_and_draws_by_the_same_odds() -> None:
    # Given the oracle's odds for the second and, after two picks, the third candidate
    given = everything(8, labelled=2, seed=5)
    oracle = Oracle(given)
    size = len(given["embeddings"])
    theirs, utilities = Badge(random_state=0).query(
        oracle.X,
        oracle.y(np.zeros(2)),
        oracle.classifier(),
        fit_clf=False,
        batch_size=2,
        return_utilities=True,
    )
    odds = np.nan_to_num(utilities[1, :size])
    given["embeddings"] = oracle.X[:size]

    # When many batches are drawn, from a fixed list of seeds
    batches = [ours("badge", given, count=3, seed=seed) for seed in range(DRAWS)]

    # Then the first is always the oracle's, and the second is drawn by its odds
    assert {batch[0] for batch in batches} == {int(theirs[0])}
    second = np.bincount([batch[1] for batch in batches], minlength=size)
    assert second[odds == 0].sum() == 0
    assert fits(second, odds)
    # And the third follows the odds that remain, by the distances written out
    third = np.bincount([batch[2] for batch in batches], minlength=size)
    assert fits(third, third_odds(given, int(theirs[0]), odds))


def third_odds(given: dict[str, Any], first: int, second_odds: np.ndarray) -> np.ndarray:
    """Return the odds of the third pick, by brute force over the whole gradients."""
    probabilities, inputs = given["probabilities"], given["embeddings"]
    errors = probabilities - np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
    gradients = (errors[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    apart = ((gradients[:, None] - gradients[None]) ** 2).sum(axis=2)
    apart = np.minimum(apart, (gradients**2).sum(axis=1))
    odds = np.zeros(len(inputs))
    for second, chance in enumerate(second_odds):
        if chance:
            left = np.minimum(apart[first], apart[second])
            odds += chance * left / left.sum()
    return odds


def test_random_draws_by_the_same_odds_as_the_oracle() -> None:
    given = everything(8, labelled=2)
    oracle = Oracle(given)
    mine, theirs = np.zeros((8, 8)), np.zeros((8, 8))
    y = oracle.y(np.zeros(2))
    for seed in range(DRAWS):
        mine[tuple(ours("random", given, count=2, seed=seed))] += 1
    for seed in range(DRAWS // 3):
        theirs[tuple(RandomSampling(random_state=seed).query(oracle.X, y, batch_size=2))] += 1
    pairs = ~np.eye(8, dtype=bool)
    assert fits(mine[pairs], np.ones(pairs.sum()))
    assert fits(theirs[pairs], np.ones(pairs.sum()))


def fits(counts: np.ndarray, odds: np.ndarray) -> bool:
    """Return whether a chi-square test lets ``counts`` pass as drawn by ``odds``."""
    possible = odds > 0
    expected = odds[possible] / odds[possible].sum() * counts.sum()
    return bool(chisquare(counts[possible], expected).pvalue > 0.001)
