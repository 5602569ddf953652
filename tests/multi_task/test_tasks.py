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
