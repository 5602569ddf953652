"""Tasks check their labels and say what is wrong with them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task import Task, TaskType, job_matching_tasks

CATEGORY, SALARY, SCAM, MATCH = job_matching_tasks()


@pytest.mark.parametrize("task", [CATEGORY, SALARY, SCAM, MATCH])
@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_missing_label_is_nan(task: Task, missing: float | None) -> None:
    assert math.isnan(task.to_target(missing))


@pytest.mark.parametrize(
    ("task", "label"),
    [
        (CATEGORY, "astronaut"),
        (CATEGORY, 3.0),
        (SALARY, "100k"),
        (SALARY, True),
        (SALARY, -5.0),
        (SALARY, 10.0),
        (SALARY, math.inf),
        (SCAM, 0.5),
        (SCAM, "yes"),
        (MATCH, 1.5),
    ],
)
def test_a_label_of_the_wrong_kind_is_refused_by_name(task: Task, label: object) -> None:
    with pytest.raises(InvalidInput, match=rf"labels\.{task.name}"):
        task.to_target(label)  # type: ignore[arg-type]  # wrong on purpose


def test_a_salary_comes_back_from_its_logarithm() -> None:
    target = SALARY.to_target(90_000.0)

    assert SALARY.to_value(np.array([target]))[0] == pytest.approx(90_000.0)


def test_values_stay_inside_their_bounds() -> None:
    assert MATCH.to_value(np.array([-1.0, 0.4, 7.0])).tolist() == [0.0, 0.4, 1.0]


def test_a_task_survives_json() -> None:
    assert [Task.from_json(task.to_json()) for task in job_matching_tasks()] == [
        *job_matching_tasks()
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "no name", "type": TaskType.BINARY},
        {"name": "one", "type": TaskType.CLASSIFICATION, "classes": ("a",)},
        {"name": "twice", "type": TaskType.CLASSIFICATION, "classes": ("a", "b", "a")},
        {"name": "value", "type": TaskType.REGRESSION, "classes": ("a", "b")},
    ],
)
def test_a_contradictory_task_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Task(**fields)  # type: ignore[arg-type]  # wrong on purpose


TAGS = Task("tags", TaskType.MULTILABEL, classes=("night", "day", "remote"))


@pytest.mark.parametrize(
    ("label", "target"),
    [("day", [0, 1, 0]), (("remote", "night"), [1, 0, 1]), ([], [0, 0, 0])],
)
def test_several_classes_can_be_right_at_once(label: object, target: list[int]) -> None:
    found = TAGS.to_target(label)  # type: ignore[arg-type]  # of any kind

    assert np.asarray(found).tolist() == target


def test_a_missing_label_of_several_classes_is_a_row_of_nan() -> None:
    assert np.isnan(TAGS.to_target(None)).tolist() == [True, True, True]


@pytest.mark.parametrize("label", [3.0, True, ("day", "dusk"), "dusk"])
def test_classes_that_are_none_of_the_tasks_are_refused(label: object) -> None:
    with pytest.raises(InvalidInput, match=r"labels\.tags"):
        TAGS.to_target(label)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "size", "type": "sorting"}, "tasks.type"),
        ({"type": "binary"}, "tasks.name"),
        ({"name": "size", "type": "binary", "colour": "red"}, "tasks.colour"),
        ({"name": "size", "type": "binary", "loss": "huber"}, "tasks.size.loss"),
        ({"name": "size", "type": "binary", "transform": "log"}, "tasks.size.transform"),
        ({"name": "size", "type": "regression", "base_rate": 0.1}, "tasks.size.base_rate"),
        ({"name": "size", "type": "binary", "precision": 1.5}, "tasks.size.precision"),
        ({"name": "size", "type": "binary", "weight": 0.0}, "tasks.size.weight"),
        ({"name": "size", "type": "binary", "words": "all"}, "tasks.size.words"),
        ({"name": "n", "type": "regression", "minimum": 2.0, "maximum": 1.0}, "tasks.n.minimum"),
    ],
)
def test_a_task_described_wrongly_is_refused_by_field(
    fields: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        Task.from_json(fields)


@pytest.mark.parametrize(
    ("task", "outputs", "loss"),
    [
        (CATEGORY, 20, "cross_entropy"),
        (SALARY, 3, "pinball"),
        (SCAM, 1, "binary_cross_entropy"),
        (MATCH, 1, "huber"),
        (TAGS, 3, "binary_cross_entropy"),
    ],
)
def test_the_type_says_how_many_outputs_and_which_loss(task: Task, outputs: int, loss: str) -> None:
    assert (task.output_dim, task.learns_by) == (outputs, loss)
