"""Bad input to selection is refused by name; odd but valid input works."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning import DiversitySampler, UncertaintySampler, select

GOOD = [[0.6, 0.4], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("probabilities", "field"),
    [
        ([[0.6, 0.4], [np.nan, 0.5]], "probabilities.1"),
        ([[0.6, 0.4], [np.inf, 0.5]], "probabilities.1"),
        ([[1.2, -0.2], [0.5, 0.5]], "probabilities.0"),
        ([[0.6, 0.4], [0.6, 0.6]], "probabilities.1"),
        ([[2.5, -1.0], [0.1, 3.0]], "probabilities.0"),
        ([0.6, 0.4], "probabilities"),
        ([[1.0], [1.0]], "probabilities"),
        ([[[0.5, 0.5]]], "probabilities"),
        ([[0.5, 0.5], [1.0]], "probabilities"),
        ([["a", "b"]], "probabilities"),
        ([[None, 0.5]], "probabilities"),
        (None, "probabilities"),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        select("margin", probabilities, num_samples=1)
    assert caught.value.field == field


@pytest.mark.parametrize("embeddings", [[[1.0, np.nan], [0.0, 1.0]], [1.0, 2.0], [["a"], ["b"]]])
def test_what_are_no_embeddings_is_refused(embeddings: Any) -> None:
    with pytest.raises(InvalidInput, match="embeddings"):
        select("diversity", embeddings=embeddings, num_samples=1)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3", None])
def test_fewer_than_one_sample_is_refused(count: Any) -> None:
    with pytest.raises(InvalidInput, match="num_samples"):
        select("margin", GOOD, num_samples=count)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"strategy": "guess"}, "strategy"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.0}, "seed"),
        ({"class_names": ["only one"]}, "class_names"),
        ({"embeddings": [[1.0, 0.0]]}, "embeddings"),
        ({"strategy": "diversity"}, "embeddings"),
        ({"strategy": "hybrid"}, "embeddings"),
        ({"strategy": "random", "probabilities": None}, "embeddings"),
        ({"near_duplicate_cosine": 0.0}, "near_duplicate_cosine"),
        (
            {"embeddings": [[1.0, 0.0], [0.0, 1.0]], "labelled_embeddings": [[1.0]]},
            "labelled_embeddings",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments: dict[str, Any], field: str) -> None:
    given: dict[str, Any] = {"strategy": "margin", "probabilities": GOOD, "num_samples": 1}
    with pytest.raises(InvalidInput) as caught:
        select(**(given | arguments))
    assert caught.value.field == field


def test_more_samples_than_candidates_gives_the_whole_pool() -> None:
    assert select("margin", GOOD, num_samples=99).indices == [1, 0]


def test_rounded_probabilities_are_accepted_and_made_to_sum_to_one() -> None:
    rounded = [[0.333, 0.333, 0.333], [0.9, 0.1, 0.0]]
    scores = select("entropy", rounded, num_samples=1).scores
    assert scores[0] == pytest.approx(1.0)


def test_huge_tiny_and_zero_embeddings_keep_their_direction() -> None:
    embeddings = np.array([[1e300, 0.0], [1e-300, 0.0], [0.0, 1.0], [0.0, 0.0]])
    chosen = select("diversity", embeddings=embeddings, num_samples=4)
    assert sorted(chosen.indices) == [0, 1, 2, 3]
    assert "near-duplicate" in chosen.picks[-1].reason


def test_the_uncertainty_sampler_scores_and_selects() -> None:
    assert UncertaintySampler.least_confident(GOOD) == pytest.approx([0.4, 0.5])
    assert UncertaintySampler.margin(GOOD) == pytest.approx([0.8, 1.0])
    assert UncertaintySampler.entropy(GOOD)[1] == pytest.approx(1.0)
    assert UncertaintySampler("margin").select(GOOD, 1).indices == [1]
    with pytest.raises(InvalidInput, match="strategy"):
        UncertaintySampler("random")


def test_the_diversity_sampler_selects() -> None:
    chosen = DiversitySampler(seed=3).select([[1, 0], [0, 1]], 1, labelled_embeddings=[[1, 0]])
    assert chosen.indices == [1]
    assert chosen.seed == 3
