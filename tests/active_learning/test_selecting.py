"""Selection as the fleet answers it: by models in service, about samples of a message."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel import Settings
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.query_strategies import BUILT_IN
from jobsentinel.contract.requests import SelectRequest
from jobsentinel.contract.results import SelectResult
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.inference.selecting import Selecting
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.store import Database

TITLES = [
    *("Night nurse", "Paediatric nurse", "Truck driver", "Bus driver", "Backend engineer"),
    *("Data engineer", "Sales manager", "Store clerk", "Chef de partie", "Welder", "Surveyor"),
]
SAMPLES = [{"id": f"job-{at:02}", "text": title} for at, title in enumerate(TITLES)]
LABELLED = [{"text": "Head nurse", "value": 70_000}, {"text": "Lorry driver", "value": 52_000.0}]
OF_VALUES = ("committee-variance", "gsx", "gsy", "igs")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ServingModels:
    """The starter models."""
    folder = tmp_path_factory.mktemp("selecting-models")
    return ServingModels(
        Settings.load(data_dir=folder, redis_url="redis://127.0.0.1:1", precision="fp32")
    )


@pytest.fixture
def selecting(database: Database, models: ServingModels) -> Selecting:
    return Selecting(database, models, run_directly)


def ask(selecting: Selecting, **request: Any) -> SelectResult:
    given = {"samples": SAMPLES, "num_samples": 5, "labelled": LABELLED}
    result, embedded = selecting.select(SelectRequest.parse(given | request))
    with selecting.database.begin() as connection:
        embedded.save(connection)
    return result


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_every_strategy_works_on_a_message(selecting: Selecting, strategy: str) -> None:
    result = ask(
        selecting,
        strategy=strategy,
        task="salary" if strategy in OF_VALUES else "category",
        committee=("multi-task", "multi-task"),
        seed=3,
    )

    assert len({pick.id for pick in result.picks}) == 5
    assert all(pick.reason for pick in result.picks)
    assert result.scores.keys() == {sample["id"] for sample in SAMPLES}
    assert (result.strategy, result.seed, result.random_share) == (strategy, 3, 0.1)
    assert (result.model.name, result.model.version) == ("multi-task", 0)
    assert len(result.committee) == (2 if "committee" in strategy or "vote" in strategy else 0)
    drawn = [pick for pick in result.picks if pick.chosen_by == "random"]
    assert len(drawn) == (5 if strategy == "random" else 1)


def test_picks_keep_away_from_what_is_labelled(selecting: Selecting) -> None:
    result = ask(selecting, strategy="k-center", random_share=0.0)
    assert "nurse" not in SAMPLES[int(result.picks[0].id[-2:])]["text"].lower()
    assert result.picks[0].reason.startswith("farthest from what is labelled or picked")


def test_the_order_of_samples_makes_no_difference(selecting: Selecting) -> None:
    there = ask(selecting, strategy="badge")
    back = ask(selecting, strategy="badge", samples=SAMPLES[::-1])
    assert [pick.id for pick in there.picks] == [pick.id for pick in back.picks]


@pytest.mark.parametrize(
    ("request_", "field", "problem"),
    [
        ({"strategy": "vote-entropy"}, "committee", "2 models or more for vote-entropy, not 0"),
        ({"strategy": "contrastive", "labelled": []}, "labelled_embeddings", "label some first"),
        (
            {"strategy": "igs", "task": "salary", "labelled": [{"text": "Nurse"}]},
            "labelled.0.value",
            "is missing, and igs needs numbers",
        ),
    ],
)
def test_what_a_request_lacks_is_named(
    selecting: Selecting, request_: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(selecting, **request_)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_no_samples_give_no_picks(selecting: Selecting) -> None:
    for strategy in BUILT_IN:
        result = ask(selecting, strategy=strategy, samples=[])
        assert (result.picks, result.scores) == ((), {})


def test_a_request_with_defaults_is_one_that_older_workers_take() -> None:
    dumped = SelectRequest.parse({"samples": SAMPLES}).model_dump()
    assert dumped.keys() == {"samples", "strategy", "num_samples", "model", "seed"}
    changed = SelectRequest.parse({"samples": SAMPLES, "random_share": 0.0, "labelled": LABELLED})
    assert SelectRequest.parse(changed.model_dump()) == changed
    assert changed.model_dump()["random_share"] == 0.0


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("random_share", 1.5, "less than or equal to 1"),
        ("random_share", "half", "found text"),
        ("task", "match", "'salary'"),
        ("committee", ["Bad Name"], "pattern"),
        ("labelled", [{"text": "x", "value": True}], "found bool"),
        ("strategy", "best", "'badge'"),
        ("strategy", 7, "found int 7"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_field(
    field: str, value: Any, says: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        SelectRequest.parse({"samples": SAMPLES, field: value})
    assert caught.value.field.startswith(field)
    assert says in caught.value.problem
