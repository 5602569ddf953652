"""Rows that cannot be learnt from are told before anything is computed, others are just rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tests.multi_task.training_rows import make_rows, own_copy

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    create_job_matching_model,
)

METHODS = ("head", "top2", "lora", "full")
SALARY = "salary_prediction"


@pytest.fixture
def model(deep_encoder: TextEncoder) -> MultiTaskBERT:
    return create_job_matching_model(own_copy(deep_encoder), pretrained=False)


def never_called(*_: object) -> NoReturn:
    raise AssertionError("something was computed")


def refused(model: MultiTaskBERT, rows: list[MultiTaskExample], method: Any, folder: Path) -> str:
    """Return why ``rows`` are refused, and that this was known before the first step."""
    trainer = MultiTaskTrainer(
        model, method, runner=never_called, on_progress=never_called, run_directory=folder
    )
    with pytest.raises(InvalidInput) as problem:
        trainer.train(rows)
    assert not list(folder.iterdir())
    assert not model.trained_tasks
    return str(problem.value)


def with_salary(label: Any) -> list[MultiTaskExample]:
    rows = make_rows(24)
    rows[7] = MultiTaskExample(rows[7].text, {SALARY: label})
    return rows


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (-5.0, "must be from 1000 to 1e+07, not -5"),
        (3.0, "must be from 1000 to 1e+07, not 3"),
        (4e9, "must be from 1000 to 1e+07, not 4e+09"),
        ("90k", "must be a finite number, not '90k'"),
        ("90000", "must be a finite number, not '90000'"),
        (math.inf, "must be a finite number, not inf"),
        (True, "must be a finite number, not True"),
    ],
)
def test_a_salary_that_can_be_none_names_its_row_and_the_limit(
    model: MultiTaskBERT, label: Any, problem: str, method: str, tmp_path: Path
) -> None:
    found = refused(model, with_salary(label), method, tmp_path)

    assert found == f"rows.7.labels.{SALARY}: {problem}"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({}, f"{SALARY} has 0 labels"),
        ({SALARY: 50_000.0}, f"{SALARY} has 24 labels, all the same"),
        ({"job_category": "legal"}, "job_category has 24 labels, all the same"),
        ({"scam_detection": False}, "scam_detection has 24 labels, all the same"),
    ],
)
def test_rows_with_one_answer_or_none_are_refused(
    model: MultiTaskBERT, labels: dict[str, Any], problem: str, method: str, tmp_path: Path
) -> None:
    rows = [MultiTaskExample(f"text {n}", labels) for n in range(24)]

    assert problem in refused(model, rows, method, tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_three_rows_are_too_few_and_the_limit_is_said(
    model: MultiTaskBERT, method: str, tmp_path: Path
) -> None:
    found = refused(model, make_rows(3), method, tmp_path)

    assert found.startswith("rows: teach nothing: no task has 8 labels")
    assert "job_category has 3 labels" in found


@pytest.mark.parametrize("method", METHODS)
def test_a_posting_of_a_million_characters_is_a_row_like_others(
    model: MultiTaskBERT, method: Any
) -> None:
    huge = "registered nurse\n" + "on the ward " * 83_400
    assert len(huge) > 1_000_000
    rows = [*make_rows(24), MultiTaskExample(huge, {"job_category": "healthcare"})]

    MultiTaskTrainer(model, method, epochs=1).train(rows)

    assert "class" in MultiTaskPredictor(model).predict(huge)["job_category"]
