"""Reciprocal rank fusion: the paper's sum, in an order that is always alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel_workers.reranking import reciprocal_rank_fusion

rankings = st.lists(st.lists(st.sampled_from("abcdefghij"), unique=True), max_size=4)


def test_an_id_gets_the_sum_of_its_reciprocal_ranks() -> None:
    fused = dict(reciprocal_rank_fusion([["a", "b"], ["c", "a"]]))

    assert fused == pytest.approx({"a": 1 / 61 + 1 / 62, "b": 1 / 62, "c": 1 / 61})


def test_what_both_rank_stands_above_what_one_ranks_first() -> None:
    fused = reciprocal_rank_fusion([["x", "both"], ["y", "both"]])

    assert [id_ for id_, _ in fused] == ["both", "x", "y"]


def test_nothing_fused_is_nothing() -> None:
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []


@given(rankings)
def test_every_id_comes_once_and_ties_are_in_order_of_ids(rankings: list[list[str]]) -> None:
    fused = reciprocal_rank_fusion(rankings)

    assert sorted(id_ for id_, _ in fused) == sorted({id_ for r in rankings for id_ in r})
    assert fused == sorted(fused, key=lambda item: (-item[1], item[0]))


@given(st.lists(st.sampled_from("abcdefghij"), unique=True))
def test_one_ranking_keeps_its_order(ranking: list[str]) -> None:
    assert [id_ for id_, _ in reciprocal_rank_fusion([ranking])] == ranking
