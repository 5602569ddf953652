"""Labels of every kind are learnt; what cannot be learnt is named before training starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from training_rows import make_rows, trained_model

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import MultiTaskExample, MultiTaskTrainer, Task, TaskType
from jobsentinel_workers.multi_task.examples import to_targets, trainable
from jobsentinel_workers.multi_task.model import MultiTaskBERT, create_job_matching_model

TASKS = (
    Task("field", TaskType.CLASSIFICATION, classes=("healthcare", "legal", "software_it")),
    Task("benefits", TaskType.MULTILABEL, classes=("bonus", "car", "remote")),
    Task("scam", TaskType.BINARY),
    Task("years", TaskType.REGRESSION, minimum=0.0),
    Task("pay", TaskType.QUANTILE, transform="log"),
)
BENEFITS = {"healthcare": ["bonus"], "legal": ["bonus", "car"], "software_it": []}


def all_kinds(count: int = 60) -> list[MultiTaskExample]:
    """Return rows of all types of task; each label is missing in some of them."""
    rows = []
    for n, row in enumerate(make_rows(count)):
        kind = str(row.labels["job_category"])
        labels = {
            "field": kind,
            "benefits": BENEFITS[kind],
            "scam": kind == "legal",
            "years": float(len(kind) + n % 2),
            "pay": 1_000.0 * len(kind) + n,
        }
        missing = TASKS[n % 7].name if n % 7 < 5 else None
        rows.append(MultiTaskExample(row.text, labels | ({missing: None} if missing else {})))
    return rows


@pytest.mark.parametrize("method", ["head", "top2", "full", "lora"])
def test_tasks_of_all_types_are_trained_together(deep_encoder: TextEncoder, method: str) -> None:
    model = trained_model(deep_encoder, method, rows=all_kinds(), tasks=TASKS)

    assert model.trained_tasks == {task.name for task in TASKS}


def test_several_classes_at_once_are_a_row_of_zeros_and_ones() -> None:
    rows = [
        MultiTaskExample("a", {"benefits": ["car", "bonus"]}),
        MultiTaskExample("b", {"benefits": []}),
        MultiTaskExample("c", {"benefits": None}),
        MultiTaskExample("d", {"benefits": "remote"}),
    ]

    targets = to_targets(rows, {"benefits": TASKS[1]})["benefits"]

    np.testing.assert_array_equal(targets, [[1, 1, 0], [0, 0, 0], [np.nan] * 3, [0, 0, 1]])


def test_no_rows_still_have_the_shape_of_their_task() -> None:
    targets = to_targets([], {task.name: task for task in TASKS})

    assert targets["benefits"].shape == (0, 3)
    assert targets["scam"].shape == (0,)


@pytest.fixture
def model(tiny_encoder: TextEncoder) -> MultiTaskBERT:
    return create_job_matching_model(tiny_encoder, pretrained=False)


def labelled(count: int, **labels: Any) -> list[MultiTaskExample]:
    return [MultiTaskExample(f"job {chr(97 + n)}", labels) for n in range(count)]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (make_rows(3), r"no task has 8 labels .* \(job_category has 3 labels"),
        (labelled(20, scam_detection=True), "scam_detection has 20 labels, all the same"),
        (labelled(20, salary_prediction=5e4), "salary_prediction has 20 labels, all the same"),
        (labelled(20, match_quality=0.5), "match_quality has 20 labels, all the same"),
        (
            [*make_rows(30), MultiTaskExample("x", {"salary_prediction": "90k"})],
            r"rows\.30\.labels\.salary_prediction: must be a finite number, not '90k'",
        ),
        (
            [*make_rows(30), MultiTaskExample("x", {"salary_prediction": -1.0})],
            r"rows\.30\.labels\.salary_prediction: must be from 1000 to",
        ),
        (
            [*make_rows(30), MultiTaskExample(" \n", {"scam_detection": True})],
            r"rows\.30\.text: must be text that is not empty",
        ),
        (
            [*make_rows(30), MultiTaskExample(None, {"scam_detection": True})],  # type: ignore[arg-type]  # wrong on purpose
            r"rows\.30\.text: must be text",
        ),
    ],
)
def test_what_cannot_be_learnt_is_named(
    model: MultiTaskBERT, rows: list[MultiTaskExample], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        MultiTaskTrainer(model).train(rows)


def test_a_wrong_label_of_a_validation_row_is_named_there(model: MultiTaskBERT) -> None:
    wrong = MultiTaskExample("x", {"salary_prediction": "90k"})

    with pytest.raises(InvalidInput, match=r"validation\.0\.labels\.salary_prediction"):
        MultiTaskTrainer(model).train(make_rows(30), [wrong])


def test_classes_that_are_always_the_same_teach_nothing() -> None:
    rows = [MultiTaskExample(f"job {n}", {"benefits": ["car"]}) for n in range(20)]

    with pytest.raises(InvalidInput, match="benefits has 20 labels, all the same"):
        trainable(to_targets(rows, {"benefits": TASKS[1]}))


@pytest.mark.parametrize("method", ["head", "top2"])
def test_a_label_that_is_missing_everywhere_is_named_and_others_are_trained(
    model: MultiTaskBERT, method: str
) -> None:
    metrics = MultiTaskTrainer(model, method, epochs=1).train(make_rows(24))  # type: ignore[arg-type]  # parametrised

    assert metrics["match_quality_skipped_labels"] == 0.0
    assert model.trained_tasks == {"job_category", "salary_prediction", "scam_detection"}


def test_rows_are_trained_on_without_any_to_spare_for_validation(model: MultiTaskBERT) -> None:
    MultiTaskTrainer(model, epochs=1).train(make_rows(10)[:9])

    assert "job_category" in model.trained_tasks
