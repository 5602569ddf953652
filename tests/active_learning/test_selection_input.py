"""Bad input to selection is refused by name; odd but valid input works."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning import DiversitySampler, UncertaintySampler, select
from jobsentinel_workers.active_learning.vectors import check_embeddings

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
        ([[0.5, 0.5], [1.0]], "probabilities.1"),
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


PROBABILITIES = np.full((3, 2), 0.5)
EMBEDDINGS = np.eye(3)
COMMITTEE = np.full((2, 3, 2), 0.5)


@pytest.mark.parametrize(
    ("strategy", "arguments", "field", "problem"),
    [
        ("k-center", {"embeddings": [[1.0, 2.0], [1.0], [2.0, 3.0]]}, "embeddings.1", "2 numbers"),
        ("k-center", {"embeddings": [[1.0], [np.nan], [2.0]]}, "embeddings.1", "NaN"),
        ("k-center", {}, "embeddings", "needed by the strategy k-center"),
        ("badge", {"probabilities": PROBABILITIES}, "embeddings", "needed by the strategy badge"),
        ("vote-entropy", {"embeddings": EMBEDDINGS}, "committee_probabilities", "are needed"),
        (
            "vote-entropy",
            {"committee_probabilities": COMMITTEE[:1]},
            "committee_probabilities",
            "1",
        ),
        ("vote-entropy", {"committee_probabilities": 7}, "committee_probabilities", "one array a"),
        (
            "committee-kl",
            {"committee_probabilities": [COMMITTEE[0], [[0.5, 0.5], [0.2, 0.2], [1.0, 0.0]]]},
            "committee_probabilities.1.1",
            "sum to 1",
        ),
        (
            "committee-kl",
            {"committee_probabilities": [COMMITTEE[0], np.full((3, 4), 0.25)]},
            "committee_probabilities",
            "of one shape",
        ),
        ("committee-variance", {"committee_values": [[1.0, 2.0]]}, "committee_values", "2 members"),
        ("committee-variance", {"committee_values": [1.0, 2.0]}, "committee_values", "(members, "),
        (
            "committee-variance",
            {"committee_values": [[1.0, 2.0], [1.0, np.inf]]},
            "committee_values.1",
            "NaN or infinite",
        ),
        ("gsy", {"labelled_values": [1.0]}, "values", "are needed"),
        ("gsy", {"values": [1.0, 2.0]}, "labelled_values", "label some first"),
        ("gsy", {"values": [1.0, 2.0], "labelled_values": []}, "labelled_values", "label some"),
        ("gsy", {"values": [[1.0]], "labelled_values": [1.0]}, "values", "(candidates,)"),
        (
            "igs",
            {
                "values": [1.0, 2.0, 3.0],
                "embeddings": EMBEDDINGS,
                "labelled_values": [1.0, 2.0],
                "labelled_embeddings": EMBEDDINGS[:1],
            },
            "labelled_values",
            "must be 1 like the labelled embeddings, not 2",
        ),
        (
            "contrastive",
            {"probabilities": PROBABILITIES, "embeddings": EMBEDDINGS, "labelled_embeddings": []},
            "labelled_embeddings",
            "chosen by typiclust",
        ),
        (
            "contrastive",
            {
                "probabilities": PROBABILITIES,
                "embeddings": EMBEDDINGS,
                "labelled_embeddings": EMBEDDINGS[:1],
                "labelled_probabilities": [[0.2, 0.3, 0.5]],
            },
            "labelled_probabilities",
            "of 2 classes",
        ),
        (
            "margin",
            {"probabilities": PROBABILITIES, "embeddings": np.eye(2)},
            "embeddings",
            "must be 3 like the probabilities, one a candidate: 2",
        ),
        ("margin", {"probabilities": PROBABILITIES, "random_share": 1.5}, "random_share", "0 to 1"),
        ("margin", {"probabilities": PROBABILITIES, "ids": ["b", "a", "b"]}, "ids.2", "twice"),
        ("margin", {"probabilities": PROBABILITIES, "ids": ["a", "b"]}, "ids", "must be 3"),
        ("margin", {"probabilities": PROBABILITIES, "ids": list("dcba")}, "ids", "more than"),
        ("margin", {"probabilities": np.ones((3, 1))}, "probabilities", "2 classes or more"),
    ],
)
def test_what_a_strategy_cannot_work_with_is_named(
    strategy: str, arguments: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        select(strategy, num_samples=1, **arguments)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_embeddings_that_are_float32_unit_vectors_are_not_copied() -> None:
    unit = np.eye(3, dtype=np.float32)
    assert check_embeddings(unit)[0] is unit


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
