"""What each strategy picks, says and promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobsentinel_workers.active_learning import QueryStrategy, select

UNCERTAIN = [QueryStrategy.UNCERTAINTY, QueryStrategy.MARGIN, QueryStrategy.ENTROPY]
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
    assert select(strategy, PROBABILITIES, num_samples=5).indices == order


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
    chosen = select("hybrid", probabilities, embeddings, num_samples=10)
    told = [pick.chosen_by for pick in chosen.picks]
    assert told == [QueryStrategy.UNCERTAINTY] * 7 + [QueryStrategy.DIVERSITY] * 3
    by_confidence = select("uncertainty", probabilities, embeddings, num_samples=7)
    assert chosen.indices[:7] == by_confidence.indices
    assert "labelled" not in chosen.picks[-1].reason
    assert "what is picked" in chosen.picks[-1].reason


@pytest.mark.parametrize(("count", "uncertain"), [(1, 1), (2, 1), (3, 2), (20, 14)])
def test_a_hybrid_shares_small_batches_too(count: int, uncertain: int) -> None:
    probabilities, embeddings = pool_of(60)
    chosen = select("hybrid", probabilities, embeddings, num_samples=count)
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


@pytest.mark.parametrize("strategy", [*UNCERTAIN, QueryStrategy.DIVERSITY, QueryStrategy.HYBRID])
def test_near_duplicates_do_not_share_a_batch_while_others_are_left(
    strategy: QueryStrategy,
) -> None:
    probabilities, embeddings = pool_of(20, width=32)
    copies = np.repeat(np.arange(20), 3)
    chosen = select(strategy, probabilities[copies], embeddings[copies], num_samples=20)
    assert sorted(copies[chosen.indices]) == list(range(20))
    assert not any("near-duplicate" in pick.reason for pick in chosen.picks)
    assert chosen.near_duplicates_checked


@pytest.mark.parametrize("strategy", [*UNCERTAIN, QueryStrategy.DIVERSITY, QueryStrategy.HYBRID])
def test_near_duplicates_follow_when_nothing_else_is_left_and_say_so(
    strategy: QueryStrategy,
) -> None:
    probabilities, embeddings = pool_of(5, width=32)
    copies = np.array([0, 1, 2, 3, 4, 0, 0])
    chosen = select(strategy, probabilities[copies], embeddings[copies], num_samples=7)
    assert sorted(chosen.indices) == list(range(7))
    repeats = [pick for pick in chosen.picks if "near-duplicate of pick" in pick.reason]
    assert len(repeats) == 2
    assert {int(copies[pick.index]) for pick in repeats} == {0}
    first = next(at for at, pick in enumerate(chosen.picks, 1) if copies[pick.index] == 0)
    assert f"pick {first} (cosine 1.00)" in repeats[0].reason


@pytest.mark.parametrize("strategy", [*UNCERTAIN, QueryStrategy.DIVERSITY, QueryStrategy.HYBRID])
def test_near_duplicates_of_what_is_labelled_come_last(strategy: QueryStrategy) -> None:
    probabilities, embeddings = pool_of(6, width=32)
    chosen = select(
        strategy,
        probabilities,
        embeddings,
        num_samples=6,
        labelled_embeddings=embeddings[[1, 4]] * 3,
    )
    assert set(chosen.indices[-2:]) == {1, 4}
    assert all("something labelled" in pick.reason for pick in chosen.picks[-2:])
    assert not any("something labelled" in pick.reason for pick in chosen.picks[:4])


def test_without_embeddings_near_duplicates_are_not_claimed_to_be_checked() -> None:
    chosen = select("margin", PROBABILITIES, num_samples=2)
    assert not chosen.near_duplicates_checked


def test_a_pool_of_identical_texts_is_labelled_whole() -> None:
    probabilities = np.full((6, 2), 0.5)
    embeddings = np.ones((6, 4))
    for strategy in QueryStrategy:
        chosen = select(strategy, probabilities, embeddings, num_samples=6)
        assert sorted(chosen.indices) == list(range(6))


@pytest.mark.parametrize("strategy", list(QueryStrategy))
def test_an_empty_pool_gives_an_empty_selection(strategy: QueryStrategy) -> None:
    chosen = select(strategy, np.empty((0, 3)), np.empty((0, 4)), num_samples=5)
    assert (len(chosen.scores), chosen.picks) == (0, ())


@settings(deadline=None)
@given(
    strategy=st.sampled_from(list(QueryStrategy)),
    size=st.integers(1, 30),
    count=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_candidate_has_a_score_and_every_pick_a_reason(
    strategy: QueryStrategy, size: int, count: int, seed: int
) -> None:
    probabilities, embeddings = pool_of(size, seed=seed % 1000)
    chosen = select(strategy, probabilities, embeddings, num_samples=count, seed=seed)
    again = select(strategy, probabilities, embeddings, num_samples=count, seed=seed)

    assert len(chosen.scores) == size
    assert np.isfinite(chosen.scores).all()
    assert chosen.scores.min() >= 0
    assert chosen.scores.max() <= 1
    assert len(set(chosen.indices)) == len(chosen.picks) == min(count, size)
    assert all(pick.reason for pick in chosen.picks)
    assert all(pick.score == chosen.scores[pick.index] for pick in chosen.picks)
    assert (chosen.strategy, chosen.seed) == (strategy, seed)
    assert again.picks == chosen.picks
