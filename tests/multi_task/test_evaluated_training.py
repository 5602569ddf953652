"""A training tells what it brought, on rows that it never saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskTrainer,
    Task,
    TaskType,
)
from jobsentinel_workers.multi_task.evaluated_training import (
    EvaluatedTraining,
    train_and_evaluate,
)
from jobsentinel_workers.multi_task.run_control import OnProgress, Progress
from jobsentinel_workers.multi_task.schedule import Method

TASKS = (
    Task("trade", TaskType.CLASSIFICATION, classes=("nursing", "law")),
    Task("pay", TaskType.QUANTILE, transform="log", unit="USD a year"),
    Task("tags", TaskType.MULTILABEL, classes=("night", "day", "remote")),
)
PLACES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "lima")


def make_rows(count: int) -> list[MultiTaskExample]:
    """Return texts that no two share most words of."""
    rows = []
    for n in range(count):
        trade = ("nursing", "law")[n % 2]
        place = f"{PLACES[n % 10]} {PLACES[n // 10 % 10]} {PLACES[(7 * n + 3) % 10]}"
        labels: dict[str, object] = {"trade": trade, "pay": 50_000.0 + 40_000.0 * (n % 2) + 100 * n}
        labels["tags"] = ("night",) if n % 3 else ("day", "remote")
        text = f"{place} {trade} {'night shift' if n % 3 else 'day from home'} {place[::-1]}"
        rows.append(MultiTaskExample(text, labels))  # type: ignore[arg-type]  # labels of any kind
    return rows


def train(
    encoder_path: Path, rows: list[MultiTaskExample], method: Method, seen: list[Progress]
) -> EvaluatedTraining:
    def make_model() -> MultiTaskBERT:
        return MultiTaskBERT(TextEncoder.load(encoder_path), TASKS)

    def make_trainer(
        model: MultiTaskBERT, folder: Path | None, on_progress: OnProgress
    ) -> MultiTaskTrainer:
        return MultiTaskTrainer(
            model, method, epochs=2, run_directory=folder, on_progress=on_progress
        )

    return train_and_evaluate(
        make_model, make_trainer, rows, name="mine", date="2026-11-22", on_progress=seen.append
    )


def test_each_task_is_judged_beside_itself_alone_and_the_baselines(
    tiny_encoder_path: Path,
) -> None:
    seen: list[Progress] = []

    trained = train(tiny_encoder_path, make_rows(144), "full", seen)

    assert {task.task.name for task in trained.evaluation.tasks} == {"trade", "pay", "tags"}
    for task in trained.evaluation.tasks:
        assert set(task.beside) == {"tf-idf", "constant", "single-task"}
        assert set(task.difference["single-task"]) == set(task.metrics)
        assert 10 <= task.rows <= 40
    fractions = [progress["fraction"] for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


def test_over_a_frozen_encoder_alone_is_the_same_and_said_so(tiny_encoder_path: Path) -> None:
    trained = train(tiny_encoder_path, make_rows(144), "head", [])

    assert all("single-task" not in task.beside for task in trained.evaluation.tasks)
    assert any("share nothing" in note for note in trained.evaluation.notes)


def test_few_rows_are_judged_by_those_that_chose_the_weights_and_it_is_said(
    tiny_encoder_path: Path,
) -> None:
    trained = train(tiny_encoder_path, make_rows(48), "head", [])

    assert any("flattering" in note for note in trained.evaluation.notes)


def test_a_bad_row_is_named_by_its_own_position(tiny_encoder_path: Path) -> None:
    rows = make_rows(144)
    rows[77] = MultiTaskExample("anything", {"pay": "lots"})

    with pytest.raises(InvalidInput, match=r"rows\.77\.labels\.pay"):
        train(tiny_encoder_path, rows, "head", [])
