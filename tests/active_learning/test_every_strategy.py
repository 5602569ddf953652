"""What holds for every strategy: whole batches, no repeats, one order, near-duplicates last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.active_learning.pools import APART, EVERY, everything, looked_at, rows

from jobsentinel_workers.active_learning import QueryStrategy, select


@settings(deadline=None, max_examples=150)
@given(
    strategy=st.sampled_from(EVERY),
    size=st.integers(1, 30),
    count=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_a_batch_is_whole_without_repeats_and_the_same_by_seed(
    strategy: QueryStrategy, size: int, count: int, seed: int, share: float
) -> None:
    pool = looked_at(strategy, everything(size, seed=seed % 1000))

    chosen = select(strategy, num_samples=count, seed=seed, random_share=share, **pool)
    again = select(strategy, num_samples=count, seed=seed, random_share=share, **pool)

    assert len(set(chosen.indices)) == len(chosen.picks) == min(count, size)
    assert set(chosen.indices) <= set(range(size))
    assert chosen.scores.shape == (size,)
    assert np.isfinite(chosen.scores).all()
    assert chosen.scores.min() >= 0
    assert all(pick.reason for pick in chosen.picks)
    assert all(pick.score == chosen.scores[pick.index] for pick in chosen.picks)
    assert (chosen.strategy, chosen.seed, chosen.random_share) == (strategy, seed, share)
    assert again.picks == chosen.picks
    assert np.array_equal(again.scores, chosen.scores)


@settings(deadline=None, max_examples=150)
@given(
    strategy=st.sampled_from(EVERY),
    size=st.integers(1, 25),
    copies=st.integers(1, 3),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_the_order_of_candidates_with_ids_makes_no_difference(
    strategy: QueryStrategy, size: int, copies: int, seed: int, data: st.DataObject
) -> None:
    # Given a pool with ties, once in the order of its ids and once in any other
    order = np.repeat(np.arange(size), copies)
    pool = rows(looked_at(strategy, everything(size, seed=seed)), order)
    ids = [f"{at:03}" for at in range(len(order))]
    shuffled = data.draw(st.permutations(range(len(order))))

    # When both are asked for the same batch
    count = max(1, len(order) // 2)
    there = select(strategy, num_samples=count, seed=seed, ids=ids, **pool)
    back = select(
        strategy,
        num_samples=count,
        seed=seed,
        ids=[ids[at] for at in shuffled],
        **rows(pool, shuffled),
    )

    # Then the same candidates come back, each with the same score
    assert [shuffled[at] for at in back.indices] == there.indices
    assert np.array_equal(back.scores, there.scores[shuffled])
    assert [pick.reason for pick in back.picks] == [pick.reason for pick in there.picks]


@pytest.mark.parametrize("strategy", APART)
def test_near_duplicates_do_not_share_a_batch_while_others_are_left(
    strategy: QueryStrategy,
) -> None:
    copies = np.repeat(np.arange(20), 3)
    pool = rows(looked_at(strategy, everything(20, width=32)), copies)

    chosen = select(strategy, num_samples=20, random_share=0, **pool)

    assert sorted(copies[chosen.indices]) == list(range(20))
    assert not any("near-duplicate" in pick.reason for pick in chosen.picks)
    assert chosen.near_duplicates_checked


@pytest.mark.parametrize("strategy", APART)
def test_the_strategys_picks_do_not_repeat_the_random_ones(strategy: QueryStrategy) -> None:
    copies = np.repeat(np.arange(20), 3)
    pool = rows(looked_at(strategy, everything(20, width=32)), copies)

    chosen = select(strategy, num_samples=19, random_share=0.1, seed=4, **pool)

    assert [pick.chosen_by for pick in chosen.picks].count("random") == 2
    assert len(set(copies[chosen.indices])) == 19


@pytest.mark.parametrize("strategy", APART)
def test_near_duplicates_follow_when_nothing_else_is_left_and_say_so(
    strategy: QueryStrategy,
) -> None:
    copies = np.array([0, 1, 2, 3, 4, 0, 0])
    pool = rows(looked_at(strategy, everything(5, width=32)), copies)

    chosen = select(strategy, num_samples=7, random_share=0, **pool)

    assert sorted(chosen.indices) == list(range(7))
    repeats = [pick for pick in chosen.picks if "near-duplicate of pick" in pick.reason]
    assert len(repeats) == 2
    assert {int(copies[pick.index]) for pick in repeats} == {0}
    first = next(at for at, pick in enumerate(chosen.picks, 1) if copies[pick.index] == 0)
    assert f"pick {first} (cosine 1.00)" in repeats[0].reason


@pytest.mark.parametrize("strategy", APART)
def test_near_duplicates_of_what_is_labelled_come_last(strategy: QueryStrategy) -> None:
    pool = looked_at(strategy, everything(6, labelled=2, width=32))
    pool["labelled_embeddings"] = pool["embeddings"][[1, 4]] * 3

    chosen = select(strategy, num_samples=6, random_share=0, **pool)

    assert set(chosen.indices[-2:]) == {1, 4}
    assert all("something labelled" in pick.reason for pick in chosen.picks[-2:])
    assert not any("something labelled" in pick.reason for pick in chosen.picks[:4])


@pytest.mark.parametrize("strategy", EVERY)
def test_a_pool_of_identical_texts_is_labelled_whole(strategy: QueryStrategy) -> None:
    pool = rows(looked_at(strategy, everything(1)), [0] * 6)
    assert sorted(select(strategy, num_samples=6, **pool).indices) == list(range(6))


@pytest.mark.parametrize("strategy", EVERY)
def test_sure_predictions_and_a_pool_of_zeros_are_labelled_whole(strategy: QueryStrategy) -> None:
    pool = looked_at(strategy, everything(5))
    sure = np.eye(4)[[0, 0, 1, 2, 3]]
    changed: dict[str, Any] = {
        "probabilities": sure,
        "embeddings": np.zeros((5, 16)),
        "values": np.zeros(5),
        "committee_probabilities": np.stack([sure, sure]),
        "committee_values": np.zeros((2, 5)),
    }
    pool |= {name: value for name, value in changed.items() if name in pool}
    chosen = select(strategy, num_samples=5, **pool)
    assert sorted(chosen.indices) == list(range(5))
    assert np.isfinite(chosen.scores).all()


@pytest.mark.parametrize("strategy", EVERY)
def test_an_empty_pool_gives_an_empty_selection(strategy: QueryStrategy) -> None:
    chosen = select(strategy, np.empty((0, 3)), np.empty((0, 4)), num_samples=5)
    assert (len(chosen.scores), chosen.picks) == (0, ())


@pytest.mark.parametrize("strategy", EVERY)
def test_more_than_there_are_gives_all_there_are(strategy: QueryStrategy) -> None:
    pool = looked_at(strategy, everything(7))
    assert sorted(select(strategy, num_samples=99, **pool).indices) == list(range(7))


def test_the_random_share_is_the_same_for_every_strategy_and_spread_over_the_batch() -> None:
    drawn = []
    for strategy in APART:
        pool = looked_at(strategy, everything(60))
        picks = select(strategy, num_samples=20, seed=3, **pool).picks
        places = [at for at, pick in enumerate(picks) if pick.chosen_by == "random"]
        assert places == [5, 15]
        assert picks[5].reason == "drawn at random (seed 3)"
        drawn.append([picks[at].index for at in places])
    assert drawn == [drawn[0]] * len(APART)


@pytest.mark.parametrize(
    ("share", "count", "expected"), [(0.1, 4, 0), (0.1, 5, 1), (0.1, 50, 5), (0, 50, 0), (1, 9, 9)]
)
def test_the_random_share_is_rounded_half_up(share: float, count: int, expected: int) -> None:
    pool = looked_at("margin", everything(60))
    picks = select("margin", num_samples=count, random_share=share, **pool).picks
    assert [pick.chosen_by for pick in picks].count("random") == expected
