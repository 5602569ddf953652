"""Maximal marginal relevance: each pick is the best one left by the criterion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jobsentinel import InvalidInput
from jobsentinel_workers.reranking.diversity import mmr

ROUNDING = 1e-6

Pool = tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Scores (n,) and embeddings (n, 3), with ties and zero vectors among them."""
    count = draw(st.integers(1, 12))
    scores = draw(arrays(np.float64, count, elements=st.integers(0, 8).map(lambda n: n / 8)))
    vectors = draw(arrays(np.float64, (count, 3), elements=st.integers(-2, 2).map(float)))

    return scores, vectors.astype(np.float32)


trade_offs = st.sampled_from([0.0, 0.3, 0.5, 0.75, 1.0])


def _criterion(pool: Pool, candidate: int, picked: list[int], trade_off: float) -> float:
    scores, vectors = pool
    nearest = max((_cosine(vectors[candidate], vectors[other]) for other in picked), default=0.0)
    return float(trade_off * scores[candidate] - (1 - trade_off) * nearest)


def _cosine(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / lengths) if lengths else 0.0


@given(pools(), trade_offs, st.integers(1, 15))
def test_each_pick_is_the_first_of_the_best_left_by_the_criterion(
    pool: Pool, trade_off: float, k: int
) -> None:
    picks = mmr(*pool, k, trade_off)

    assert len(picks) == min(k, len(pool[0]))
    for place, pick in enumerate(picks):
        left = [n for n in range(len(pool[0])) if n not in picks[:place]]
        gains = {n: _criterion(pool, n, picks[:place], trade_off) for n in left}
        best = max(gains.values())
        assert gains[pick] >= best - ROUNDING
        assert all(gains[n] < best + ROUNDING for n in left if n < pick)


@given(pools(), trade_offs)
def test_picks_are_distinct_and_positions(pool: Pool, trade_off: float) -> None:
    picks = mmr(*pool, len(pool[0]), trade_off)

    assert sorted(picks) == list(range(len(pool[0])))


@given(pools())
def test_with_a_trade_off_of_one_the_order_is_that_of_the_scores(pool: Pool) -> None:
    picks = mmr(*pool, len(pool[0]), 1.0)

    assert picks == sorted(range(len(pool[0])), key=lambda n: (-pool[0][n], n))


def test_a_copy_of_the_best_gives_way_to_something_else() -> None:
    scores = np.array([0.9, 0.89, 0.6])
    vectors = np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0]], dtype=np.float32)

    assert mmr(scores, vectors, 3, 0.5) == [0, 2, 1]


def test_equal_rows_tie_wherever_they_stand() -> None:
    vectors = np.random.default_rng(7).normal(size=(1_000, 384)).astype(np.float32)
    vectors[1:] = vectors[1]

    assert mmr(np.full(1_000, 0.5), vectors, 5, 0.5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("scores", "embeddings", "k", "trade_off", "field"),
    [
        ([0.1, np.nan], np.eye(2), 1, 0.5, "scores"),
        ([[0.1]], np.eye(1), 1, 0.5, "scores"),
        ([0.1, 0.2], np.eye(3), 1, 0.5, "embeddings"),
        ([0.1, 0.2], np.array([[1.0, np.inf], [0.0, 1.0]]), 1, 0.5, "embeddings"),
        ([0.1, 0.2], np.eye(2), 0, 0.5, "k"),
        ([0.1, 0.2], np.eye(2), True, 0.5, "k"),
        ([0.1, 0.2], np.eye(2), 1, 1.01, "trade_off"),
        ([0.1, 0.2], np.eye(2), 1, float("nan"), "trade_off"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(
    scores: list[float],
    embeddings: npt.NDArray[np.float64],
    k: int,
    trade_off: float,
    field: str,
) -> None:
    with pytest.raises(InvalidInput) as refused:
        mmr(np.array(scores), embeddings.astype(np.float32), k, trade_off)

    assert refused.value.field == field
