"""The labelling loop, with a small real predictor in place of the big one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.active_learning import (
    ActiveLearningManager,
    QueryStrategy,
    RetrainingTrigger,
    Sample,
)

WORDS = ("nurse", "doctor", "driver", "python", "sales")


class WordPredictor:
    """Counts words: embeddings by word, and care against other jobs by softmax."""

    def __init__(self, care: float = 1.0) -> None:
        self.embedded: list[str] = []
        self.care = care

    def get_embedding(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded.extend(texts)
        rows = [[text.count(word) + 0.01 for word in WORDS] for text in texts]
        return np.array(rows, dtype=np.float32)

    def predict_from_embeddings(
        self, embeddings: NDArray[np.float32]
    ) -> Sequence[Mapping[str, Any]]:
        care = embeddings[:, :2].sum(axis=1) - embeddings[:, 2:].sum(axis=1)
        yes = 1 / (1 + np.exp(-self.care * care.astype(float)))
        return [
            {
                "job_category": {"probabilities": {"healthcare": p, "other": 1 - p}},
                "scam_detection": {"probability": p, "prediction": p > 0.5},
                "salary_prediction": {"value": 50 * p},
            }
            for p in yes
        ]


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


TEXTS = ("nurse nurse", "doctor", "nurse driver", "python python", "sales", "driver driver driver")


@pytest.fixture
def pool() -> list[Sample]:
    return [Sample(f"job-{at}", text) for at, text in enumerate(TEXTS)]


def manager_of(strategy: QueryStrategy | str = "hybrid", **settings: Any) -> ActiveLearningManager:
    return ActiveLearningManager(strategy, predictor=WordPredictor(), **settings)


@pytest.mark.parametrize("strategy", list(QueryStrategy))
def test_a_query_tells_everything_about_its_choice(
    strategy: QueryStrategy, pool: list[Sample]
) -> None:
    # Given two labels of each kind beside the pool, and a committee
    about_values = strategy in {"committee-variance", "gsy", "igs"}
    manager = manager_of(
        strategy,
        task="salary_prediction" if about_values else "job_category",
        committee=[WordPredictor(), WordPredictor(care=2.0)],
    )
    manager.add_labels(
        [Sample("old-1", "nurse", embedding=(1, 0, 0, 0, 0)), Sample("old-2", "x", None, (0,) * 5)],
        [10.0, 20.0] if about_values else ["healthcare", "other"],
    )

    result = manager.select_samples(pool, num_samples=3)

    assert len(result) == len(result.selected_samples) == len(result.reasons) == 3
    assert set(result.scores) == {sample.id for sample in pool}
    assert (result.strategy, result.num_candidates) == (strategy, 6)
    assert result.selection_time_ms > 0


def test_margin_asks_about_the_undecided_text_by_class_name(pool: list[Sample]) -> None:
    result = manager_of("margin").select_samples(pool, num_samples=1)
    assert [sample.id for sample in result.selected_samples] == ["job-2"]
    assert "between" in result.reasons[0]
    assert "healthcare" in result.reasons[0]


def test_only_what_is_missing_is_computed(pool: list[Sample]) -> None:
    predictor = WordPredictor()
    given = Sample("given", "not to be read", (0.5, 0.5), (1, 0, 0, 0, 0))
    manager = ActiveLearningManager("entropy", predictor=predictor)
    manager.select_samples([given, pool[0]], num_samples=1)
    assert predictor.embedded == [pool[0].text]


def test_values_that_are_given_are_not_computed() -> None:
    class Silent(WordPredictor):
        def predict_from_embeddings(self, embeddings: NDArray[np.float32]) -> Any:
            raise AssertionError("nothing is missing")

    def sample(id_: str, value: Any) -> Sample:
        return Sample(id_, "x", embedding=(1, 0, 0, 0, 0), value=value)

    manager = ActiveLearningManager("gsy", predictor=Silent(), task="salary_prediction")
    manager.add_labels([Sample("old", "x", embedding=(0, 1, 0, 0, 0))], [10.0])

    result = manager.select_samples([sample("near", 11), sample("far", 90.0)], num_samples=1)

    assert [each.id for each in result.selected_samples] == ["far"]
    for wrong in ("90", True):
        with pytest.raises(InvalidInput, match=r"pool\.1\.value: must be a number"):
            manager.select_samples([sample("near", 11), sample("far", wrong)])


def test_a_value_that_is_missing_is_computed() -> None:
    manager = manager_of("gsy", task="salary_prediction")
    manager.add_labels([Sample("old", "x", embedding=(0, 1, 0, 0, 0))], [49.0])
    nurse, given = Sample("nurse", "nurse nurse"), Sample("given", "driver", value=30.0)

    result = manager.select_samples([nurse, given], num_samples=2)

    assert result.scores["given"] == pytest.approx(19.0)
    assert result.scores["nurse"] < 10


def test_single_precision_embeddings_choose_as_double_ones_do() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 5))
    double = [Sample(f"job-{at:02}", "x", (0.5, 0.5), row) for at, row in enumerate(rows)]
    single = [
        Sample(f"job-{at:02}", "x", (0.5, 0.5), row)
        for at, row in enumerate(rows.astype(np.float32))
    ]

    chosen = [manager_of("k-center").select_samples(pool) for pool in (double, single)]

    assert chosen[0].selection.indices == chosen[1].selection.indices


def test_a_kind_of_label_names_its_task() -> None:
    assert ActiveLearningManager(kind="scam").task == "scam_detection"
    assert ActiveLearningManager(kind="mine").task == "mine"
    assert ActiveLearningManager().task == "job_category"


def test_random_asks_no_model(pool: list[Sample]) -> None:
    predictor = WordPredictor()
    ActiveLearningManager("random", predictor=predictor).select_samples(pool)
    assert predictor.embedded == []


def test_a_yes_no_task_can_be_asked_about(pool: list[Sample]) -> None:
    result = manager_of("margin", task="scam_detection").select_samples(pool, num_samples=1)
    assert "yes" in result.reasons[0]
    with pytest.raises(ModelUnavailable, match=r"no class probabilities .* 'salary_prediction'"):
        manager_of("margin", task="salary_prediction").select_samples(pool)


def test_a_committee_of_one_and_labels_that_are_no_numbers_are_refused(pool: list[Sample]) -> None:
    with pytest.raises(InvalidInput, match="committee: must be of 2 members or more, not 1"):
        manager_of("vote-entropy", committee=[WordPredictor()]).select_samples(pool)
    manager = manager_of("igs", task="salary_prediction")
    manager.add_labels([Sample("old", "x", embedding=(1, 0, 0, 0, 0))], ["much"])
    with pytest.raises(InvalidInput, match=r"labels\.0: must be a number, not str"):
        manager.select_samples(pool)


def test_a_part_of_each_batch_is_random_and_marked() -> None:
    pool = [Sample(f"job-{at}", "x", (0.5, 0.5), row) for at, row in enumerate(np.eye(20))]

    result = ActiveLearningManager("margin").select_samples(pool, num_samples=20)

    assert [pick.chosen_by for pick in result.selection.picks].count("random") == 2
    assert sum("drawn at random" in reason for reason in result.reasons) == 2


def test_the_pools_order_makes_no_difference(pool: list[Sample]) -> None:
    there = manager_of("hybrid").select_samples(pool, num_samples=4)
    back = manager_of("hybrid").select_samples(pool[::-1], num_samples=4)

    assert [sample.id for sample in there.selected_samples] == [
        sample.id for sample in back.selected_samples
    ]
    assert there.scores == back.scores


def test_probabilities_by_name_may_come_in_any_order() -> None:
    pool = [
        Sample("a", "x", {"no": 0.9, "yes": 0.1}, (1.0, 0.0)),
        Sample("b", "y", {"yes": 0.45, "no": 0.55}, (0.0, 1.0)),
    ]
    result = manager_of("margin").select_samples(pool, num_samples=2)
    assert result.reasons == ["margin 0.10 between no and yes", "margin 0.80 between no and yes"]


@pytest.mark.parametrize(
    ("second", "field"),
    [
        (Sample("b", "y", {"maybe": 0.5, "no": 0.5}, (0.0, 1.0)), "pool.1.probabilities"),
        (Sample("b", "y", (1.0,), (0.0, 1.0)), "pool.1.probabilities"),
        (Sample("b", "y", {"yes": 0.5, "no": 0.5}, (0.0, 1.0, 1.0)), "pool.1.embedding"),
        (Sample("a", "y"), "pool.1.id"),
    ],
)
def test_samples_that_do_not_fit_the_others_are_named(second: Sample, field: str) -> None:
    first = Sample("a", "x", {"no": 0.9, "yes": 0.1}, (1.0, 0.0))
    with pytest.raises(InvalidInput) as caught:
        manager_of("margin").select_samples([first, second])
    assert caught.value.field == field


def test_what_is_labelled_is_not_asked_again(pool: list[Sample]) -> None:
    manager = manager_of("diversity")
    first = manager.select_samples(pool, num_samples=3)
    manager.add_labels(first.selected_samples, ["a", "b", "a"])

    second = manager.select_samples(pool, num_samples=10)

    asked = {sample.id for sample in first.selected_samples}
    assert set(second.already_labelled) == asked
    assert asked.isdisjoint(sample.id for sample in second.selected_samples)
    assert len(second) == 3
    assert all("what is labelled" in reason for reason in second.reasons)


def test_an_empty_or_finished_pool_gives_an_empty_answer(pool: list[Sample]) -> None:
    manager = manager_of()
    assert len(manager.select_samples([])) == 0
    manager.add_labels(pool, ["a"] * 6)
    assert len(manager.select_samples(pool)) == 0


def test_the_batch_size_stands_in_for_the_number(pool: list[Sample]) -> None:
    assert len(manager_of("margin", batch_size=2).select_samples(pool)) == 2
    with pytest.raises(InvalidInput, match="num_samples"):
        manager_of().select_samples(pool, num_samples=0)
    with pytest.raises(InvalidInput, match="batch_size"):
        manager_of(batch_size=0)


def test_labels_are_counted_once(pool: list[Sample]) -> None:
    manager = manager_of()
    assert manager.add_labels(pool[:3], ["a", "b", "a"]) == 3
    assert manager.add_labels(pool[:3], ["a", "b", "b"]) == 1
    statistics = manager.get_statistics()
    assert statistics["total_labels"] == 3
    assert statistics["label_counts"] == {"a": 1, "b": 2}
    assert manager.labels()["job-2"] == "b"


@pytest.mark.parametrize("label", [None, "", float("nan"), ["a"]])
def test_a_bad_label_keeps_none_of_them(pool: list[Sample], label: Any) -> None:
    manager = manager_of()
    with pytest.raises(InvalidInput) as caught:
        manager.add_labels(pool[:2], ["a", label])
    assert caught.value.field == "labels.1"
    with pytest.raises(InvalidInput, match="one a sample"):
        manager.add_labels(pool[:2], ["a"])
    assert manager.labels() == {}


def test_enough_labels_or_enough_waiting_call_for_training(pool: list[Sample]) -> None:
    clock = Clock()
    manager = manager_of(now=clock)
    trigger = RetrainingTrigger(min_new_labels=3, max_days=7)
    assert not manager.should_retrain(trigger)

    manager.add_labels(pool[:2], ["a", "b"])
    assert manager.retraining_decision(trigger).reason == "2 of 3 new labels"
    clock.time += timedelta(days=8)
    assert manager.should_retrain(trigger)
    manager.add_labels(pool[2:3], ["a"])
    assert manager.retraining_decision(trigger).reason == "3 new labels"

    manager.mark_retrained()
    assert not manager.should_retrain(trigger)
    clock.time += timedelta(days=8)
    assert not manager.should_retrain(trigger)
    assert manager.get_statistics()["trainings"] == 1


def test_one_class_never_calls_for_training(pool: list[Sample]) -> None:
    manager = manager_of()
    manager.add_labels(pool, ["a"] * 6)
    assert not manager.should_retrain(RetrainingTrigger(min_new_labels=1))


@pytest.mark.parametrize("wrong", [{"min_new_labels": 0}, {"max_days": -1.0}, {"min_classes": 1.5}])
def test_a_trigger_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        RetrainingTrigger(**wrong)
    assert caught.value.field in wrong
