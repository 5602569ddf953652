"""Strategies that installed packages add by an entry point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.active_learning.pools import everything

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.query_strategies import BUILT_IN, strategy_names
from jobsentinel_workers.active_learning import ActiveLearningManager, QueryStrategy, Sample, select

RAREST = """
from jobsentinel_workers.active_learning import Need, Strategy

def choose(pool):
    scores = 1 - pool.probabilities.min(axis=1)
    return pool.by_score(scores, lambda row: f"{scores[row]:.2f} against its rarest class")

rarest = Strategy(choose, needs=frozenset({Need.PROBABILITIES}), uses=frozenset({Need.EMBEDDINGS}))
scoreless = Strategy(lambda pool: (pool.probabilities, []))
greedy = Strategy(lambda pool: (pool.probabilities[:, 0], pool.by_score(
    pool.probabilities[:, 0], str, pool.count + 1)[1]))
nothing = Strategy(lambda pool: None)
hungry = Strategy(choose, needs=frozenset({"résumés"}))
no_strategy = choose
"""

Install = Callable[[dict[str, str], str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package with strategies on the path, as pip would."""

    def put(strategies: dict[str, str], source: str) -> None:
        (tmp_path / "acme_strategies.py").write_text(source, "utf-8")
        metadata = tmp_path / "acme_strategies-1.2.dist-info"
        metadata.mkdir()
        metadata.joinpath("METADATA").write_text(
            "Metadata-Version: 2.1\nName: acme-strategies\nVersion: 1.2\n", "utf-8"
        )
        lines = [f"{name} = {value}" for name, value in strategies.items()]
        text = "[jobsentinel.query_strategies]\n" + "\n".join(lines)
        metadata.joinpath("entry_points.txt").write_text(text, "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, "acme_strategies", raising=False)

    return put


def test_an_added_strategy_is_listed_and_chooses(install: Install) -> None:
    # Given a package with a strategy, and one that would like to be called margin
    install(
        {"rarest": "acme_strategies:rarest", "margin": "acme_strategies:no_strategy"},
        RAREST,
    )
    given = everything(30)

    # When candidates are chosen by it
    chosen = select("rarest", given["probabilities"], given["embeddings"], num_samples=10, seed=2)

    # Then it is there beside the built-in ones, which nobody takes over
    assert strategy_names() == (*BUILT_IN, "rarest")
    assert chosen.strategy == "rarest"
    assert [pick.chosen_by for pick in chosen.picks].count("rarest") == 9
    assert "against its rarest class" in chosen.picks[0].reason
    assert select("margin", given["probabilities"], num_samples=1).picks[0].reason.startswith("mar")


def test_the_manager_takes_an_added_strategy(install: Install) -> None:
    install({"rarest": "acme_strategies:rarest"}, RAREST)
    pool = [Sample(str(at), "x", row, row) for at, row in enumerate(np.eye(3) * 0.7 + 0.1)]
    result = ActiveLearningManager("rarest").select_samples(pool, num_samples=2)
    assert (result.strategy, len(result)) == ("rarest", 2)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("acme_strategies:no_strategy", "must be a Strategy, but .* is of the kind function"),
        ("acme_strategies:missing", "cannot be loaded: AttributeError"),
        ("acme_absent:rarest", "cannot be loaded: ModuleNotFoundError"),
        ("acme_strategies:hungry", "needs 'résumés', which is none of probabilities, "),
        ("acme_strategies:scoreless", r"returned scores of the shape \(9, 4\)"),
        ("acme_strategies:greedy", "returned 4 picks instead of 3"),
        ("acme_strategies:nothing", "returned a NoneType, not a pair"),
    ],
)
def test_a_faulty_one_is_refused_with_its_package(
    install: Install, value: str, problem: str
) -> None:
    install({"odd": value}, RAREST)
    with pytest.raises(InvalidInput, match=problem) as caught:
        select("odd", everything(9)["probabilities"], num_samples=3)
    assert caught.value.field == "strategy"
    assert "'odd' of the package acme-strategies 1.2" in caught.value.problem


def test_an_unknown_name_is_refused_with_those_there_are(install: Install) -> None:
    install({"rarest": "acme_strategies:rarest"}, RAREST)
    with pytest.raises(InvalidInput, match=r"must be one of uncertainty, .*igs, rarest$"):
        select("guess", [[0.5, 0.5]], num_samples=1)


def test_both_wings_know_the_same_built_in_strategies() -> None:
    assert list(BUILT_IN) == [strategy.value for strategy in QueryStrategy]
