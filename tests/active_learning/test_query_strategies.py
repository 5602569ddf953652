"""What the six classic strategies pick and say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobsentinel_workers.active_learning import QueryStrategy, select

PROBABILITIES = np.array(
    [
        [0.90, 0.05, 0.05],
        [0.40, 0.38, 0.22],
        [0.48, 0.47, 0.05],
        [0.34, 0.33, 0.33],
        [1.00, 0.00, 0.00],
    ]
)


def pool_of(size: int, *, classes: int = 4, width: int = 8, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(classes), size), rng.normal(size=(size, width))


@pytest.mark.parametrize(
    ("strategy", "order"),
    [("uncertainty", [3, 1, 2, 0, 4]), ("margin", [2, 3, 1, 0, 4]), ("entropy", [3, 1, 2, 0, 4])],
)
def test_uncertain_candidates_come_first(strategy: str, order: list[int]) -> None:
    assert select(strategy, PROBABILITIES, num_samples=5, random_share=0).indices == order


def test_scores_run_from_sure_to_undecided() -> None:
    extremes = [[1.0, 0.0], [0.5, 0.5]]
    assert select("margin", extremes, num_samples=1).scores == pytest.approx([0.0, 1.0])
    assert select("entropy", extremes, num_samples=1).scores == pytest.approx([0.0, 1.0])
    assert select("uncertainty", extremes, num_samples=1).scores == pytest.approx([0.0, 0.5])


def test_reasons_name_numbers_and_classes() -> None:
    names = ["Sales", "Marketing", "Legal"]

    def reason(strategy: str) -> str:
        chosen = select(strategy, PROBABILITIES, num_samples=1, class_names=names)
        return chosen.picks[0].reason

    assert reason("margin") == "margin 0.01 between Sales and Marketing"
    assert reason("uncertainty") == "least confident: only 0.34 for Sales"
    assert reason("entropy") == "entropy 1.00 of 1 over 3 classes, at most 0.34 for Sales"


def test_diversity_takes_one_of_each_group_nearest_to_its_centre() -> None:
    centres = np.eye(3)
    spread = np.array([[0.0, 0.1, 0.0], [0.0, -0.1, 0.0], [0.0, 0.0, 0.0]])
    embeddings = np.concatenate([np.roll(spread, at, axis=1) + centres[at] for at in range(3)])

    chosen = select("diversity", embeddings=embeddings, num_samples=3)

    assert sorted(chosen.indices) == [2, 5, 8]
    assert {pick.reason for pick in chosen.picks} == {
        f"nearest to the centre of cluster {number} of 3" for number in (1, 2, 3)
    }


def test_diversity_goes_where_nothing_is_labelled() -> None:
    embeddings = [[1.0, 0.0], [0.9, 0.3], [0.8, 0.4], [0.0, 1.0]]
    chosen = select(
        "diversity", embeddings=embeddings, num_samples=2, labelled_embeddings=[[1.0, 0.05]]
    )
    assert chosen.indices[0] == 3
    assert "unlike what is labelled (cosine 0.05)" in chosen.picks[0].reason
    assert "though similar to what is labelled" in chosen.picks[1].reason
    assert chosen.scores[3] > chosen.scores[:3].max()


def test_a_hybrid_is_seven_uncertain_and_three_diverse_picks() -> None:
    probabilities, embeddings = pool_of(100)
    chosen = select("hybrid", probabilities, embeddings, num_samples=10, random_share=0)
    told = [pick.chosen_by for pick in chosen.picks]
    assert told == [QueryStrategy.UNCERTAINTY] * 7 + [QueryStrategy.DIVERSITY] * 3
    by_confidence = select("uncertainty", probabilities, embeddings, num_samples=7, random_share=0)
    assert chosen.indices[:7] == by_confidence.indices
    assert "labelled" not in chosen.picks[-1].reason
    assert "what is picked" in chosen.picks[-1].reason


@pytest.mark.parametrize(("count", "uncertain"), [(1, 1), (2, 1), (3, 2), (20, 14)])
def test_a_hybrid_shares_small_batches_too(count: int, uncertain: int) -> None:
    probabilities, embeddings = pool_of(60)
    chosen = select("hybrid", probabilities, embeddings, num_samples=count, random_share=0)
    told = [pick.chosen_by for pick in chosen.picks]
    assert len(told) == count
    assert told.count(QueryStrategy.UNCERTAINTY) == uncertain


def test_random_differs_by_seed_and_covers_the_pool_evenly() -> None:
    _, embeddings = pool_of(40)
    draws = [
        select("random", embeddings=embeddings, num_samples=4, seed=seed).indices
        for seed in range(300)
    ]
    counts = np.bincount(np.concatenate(draws), minlength=40)
    assert counts.min() > 10
    assert counts.max() < 55
    assert select("random", embeddings=embeddings, num_samples=4, seed=7).picks[0].reason == (
        "drawn at random (seed 7)"
    )
