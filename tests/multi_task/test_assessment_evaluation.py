"""An evaluation compares models on the same rows, survives JSON, and is written as people read."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment import (
    METRICS,
    Evaluation,
    Interval,
    Judged,
    evaluate,
    to_table,
)
from jobsentinel_workers.multi_task.assessment.writing import (
    verdict,
    write_difference,
    write_interval,
    write_value,
)
from jobsentinel_workers.multi_task.tasks import Task, TaskType

SALARY = Task("salary_prediction", TaskType.QUANTILE, transform="log", unit="USD a year")
SCAM = Task("scam_detection", TaskType.BINARY, base_rate=0.05)


def judge_salary(noise: float, rows: int = 120) -> Judged:
    rng = np.random.default_rng(0)
    targets = np.exp(rng.normal(11, 0.5, rows))
    value = targets * np.exp(rng.normal(0, noise, rows))
    return Judged(SALARY, targets, np.stack([value * 0.8, value, value * 1.25], axis=1))


def judge_scam(noise: float, rows: int = 120) -> Judged:
    rng = np.random.default_rng(1)
    targets = (np.arange(rows) % 3 == 0).astype(float)
    score = 3 * targets - 2 + rng.normal(scale=noise, size=rows)
    return Judged(SCAM, targets, 1 / (1 + np.exp(-score)))


def evaluate_both(rows: int = 120) -> Evaluation:
    ours = {"salary_prediction": judge_salary(0.1, rows), "scam_detection": judge_scam(1.0, rows)}
    beside = {
        "tf-idf": {
            "salary_prediction": judge_salary(0.3, rows),
            "scam_detection": judge_scam(2.0, rows),
        },
        "constant": {
            "salary_prediction": Judged(
                SALARY, ours["salary_prediction"].targets, np.full((rows, 3), 60_000.0)
            )
        },
        "single-task": {"scam_detection": judge_scam(1.0, rows)},
    }
    return evaluate(
        ours,
        beside,
        model="multi-task@7",
        precision="bf16",
        date="2026-11-22",
        notes=["Postings of one company."],
        resamples=100,
        seed=1,
    )


def test_each_task_is_compared_with_whoever_answered_it() -> None:
    salary, scam = evaluate_both().tasks

    assert (salary.rows, scam.rows) == (120, 120)
    assert list(salary.beside) == ["tf-idf", "constant"]
    assert list(scam.beside) == list(scam.difference) == ["tf-idf", "single-task"]
    gap = salary.difference["tf-idf"]["mae"]
    assert gap.value == salary.metrics["mae"].value - salary.beside["tf-idf"]["mae"].value
    assert gap.high < 0
    assert all(same.low == same.high == 0 for same in scam.difference["single-task"].values())


def test_groups_reach_their_task() -> None:
    judged = judge_scam(1.0)
    pairs = {"scam_detection": np.arange(120) // 10}

    def brier(groups: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]] | None) -> Interval:
        found = evaluate(
            {"scam_detection": judged},
            {},
            model="m",
            precision="fp32",
            date="2026-11-22",
            groups=groups,
            resamples=100,
        )
        return found.tasks[0].metrics["brier"]

    assert brier(None) != brier(pairs)
    assert brier({"other": pairs["scam_detection"]}) == brier(None)


def test_json_brings_back_the_same_evaluation() -> None:
    evaluation = evaluate_both()

    text = json.dumps(evaluation.to_json(), allow_nan=False)

    assert Evaluation.from_json(json.loads(text)) == evaluation


def test_notes_warn_of_few_rows_and_few_of_a_kind() -> None:
    plenty, few = evaluate_both(), evaluate_both(rows=15)
    alone = {"scam_detection": judge_scam(1.0, rows=1)}

    nothing = evaluate(alone, {}, model="m", precision="fp32", date="2026-11-22")

    assert plenty.notes == ("Postings of one company.",)
    assert "only 15 rows" in few.notes[1]
    assert "only 5 of the judged rows have the rarer answer" in few.notes[3]
    assert "nothing can be said" in nothing.notes[0]
    assert nothing.tasks[0].metrics == {}


def test_other_rows_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same rows"):
        evaluate(
            {"scam_detection": judge_scam(1.0)},
            {"tf-idf": {"scam_detection": judge_scam(1.0, rows=60)}},
            model="m",
            precision="fp32",
            date="2026-11-22",
            resamples=10,
        )


def test_the_table_fits_a_terminal_and_holds_every_metric() -> None:
    table = to_table(evaluate_both())

    assert max(map(len, table.splitlines())) <= 110
    assert "salary_prediction: 120 rows" in table
    assert "MAE, USD a year ↓" in table
    assert "minus single-task" in table
    assert "↑ higher is better, ↓ lower is better" in table
    assert "Note: Postings of one company." in table
    for task in evaluate_both().tasks:
        assert all(METRICS[name].title in table for name in task.metrics)


def test_columns_that_do_not_fit_follow_below() -> None:
    evaluation = evaluate_both()
    salary = evaluation.tasks[0]
    names = [f"a comparison with a long name, {n}" for n in range(4)]
    many = replace(
        salary,
        beside=dict.fromkeys(names, salary.beside["tf-idf"]),
        difference=dict.fromkeys(names, salary.difference["tf-idf"]),
    )

    table = to_table(replace(evaluation, tasks=(many,)), against=names[3])

    assert max(map(len, table.splitlines())) <= 110
    assert all(name in table for name in names)
    assert f"minus {names[3]}" in table


def test_a_task_without_rows_says_so() -> None:
    alone = {"scam_detection": judge_scam(1.0, rows=1)}

    table = to_table(evaluate(alone, {}, model="m", precision="fp32", date="2026-11-22"))

    assert "scam_detection: 1 rows, too few to say anything" in table


def test_numbers_are_written_as_people_read_them() -> None:
    accuracy = Interval(0.8734, 0.851, 0.892)

    assert write_interval(accuracy, "share") == "87.3 % [85.1, 89.2]"
    assert write_interval(accuracy, "score") == "0.873 [0.851, 0.892]"
    assert write_interval(Interval(14_532.4, 13_900, 15_200), "value") == "14,532 [13,900, 15,200]"
    assert write_interval(Interval(0.127, 0.0976, 0.157), "value") == "0.127 [0.098, 0.157]"
    assert write_difference(Interval(0.012, -0.003, 0.025), "share") == "+1.2 [-0.3, +2.5]"
    assert write_difference(Interval(-1e-9, -0.0001, 0.0), "score") == "0.000 [0.000, 0.000]"
    assert write_value(0.5, "share") == "50.0 %"


def test_a_verdict_needs_an_interval_without_zero_and_knows_what_is_better() -> None:
    up, unsure = Interval(0.1, 0.05, 0.2), Interval(0.1, -0.05, 0.2)

    assert verdict("accuracy", up) == "better"
    assert verdict("mae", up) == "worse"
    assert verdict("accuracy", unsure) == "not told apart"
    assert verdict("coverage", up) == "not told apart"
