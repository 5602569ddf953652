"""Versions of the scoring model are judged on the frozen rows and decided upon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated_models import DATE

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.gate import GatePolicy, decide, measure_latency, split_frozen
from jobsentinel_workers.gate.scoring_models import (
    groups_of_tasks,
    judge_scoring_model,
    taught_tasks,
)
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    Task,
    TaskType,
)
from jobsentinel_workers.multi_task.assessment.judged import Judged

FIELD = Task("field", TaskType.CLASSIFICATION, classes=("care", "law", "code"))
LAW = Task("law", TaskType.BINARY)
PAY = Task("pay", TaskType.REGRESSION)
TEXTS = {"care": "nurse on a ward", "law": "attorney for contracts", "code": "python developer"}


def letters(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def make_rows(count: int, start: int = 0) -> list[MultiTaskExample]:
    """Return rows of which every other has a label of the second task."""
    kinds = list(TEXTS)
    return [
        MultiTaskExample(
            f"{TEXTS[kinds[n % 3]]} {letters(n)}",
            {"field": kinds[n % 3], "law": n % 3 == 1 if n % 2 else None},
        )
        for n in range(start, start + count)
    ]


def train(model: MultiTaskBERT, rows: list[MultiTaskExample]) -> dict[str, float]:
    return MultiTaskTrainer(model, "head", epochs=30, seed=0).train(rows)


@pytest.fixture(scope="module")
def old(encoder: TextEncoder) -> MultiTaskBERT:
    """A model that knows one of three fields, of two tasks."""
    model = MultiTaskBERT(encoder, [FIELD, PAY])
    rows = [MultiTaskExample(row.text, {"field": row.labels["field"]}) for row in make_rows(60)]
    wrong = [MultiTaskExample(row.text, {"field": "care"}) for row in make_rows(400, 60)]
    train(model, rows[:12] + wrong)
    return model


def test_a_training_on_all_but_frozen_rows_is_judged_on_them_and_promoted(
    encoder: TextEncoder, old: MultiTaskBERT, tmp_path: Path
) -> None:
    rows = make_rows(700)
    groups = list(range(len(rows)))
    split = split_frozen([row.text for row in rows], groups, 0.3, "jobs")
    frozen = [rows[at] for at in split.frozen]
    model = MultiTaskBERT(encoder, [FIELD, PAY])
    metrics = train(
        model,
        [
            MultiTaskExample(rows[at].text, {"field": rows[at].labels["field"]})
            for at in split.training
        ],
    )
    new = MultiTaskBERT.load(model.save(tmp_path / "new"), encoder=encoder)
    rows_of_field = [MultiTaskExample(row.text, {"field": row.labels["field"]}) for row in frozen]

    champion, challenger = (
        judge_scoring_model(each, name, rows_of_field, new.tasks)
        for name, each in (("jobs@1", old), ("jobs@2", new))
    )
    verdict = decide(
        challenger,
        champion,
        trained=taught_tasks(new.tasks, metrics),
        latency=measure_latency(
            MultiTaskPredictor(old).predict_batch,
            MultiTaskPredictor(new).predict_batch,
            [row.text for row in frozen[:4]],
            rounds=1,
        ),
        date=DATE,
        policy=GatePolicy(resamples=200, max_latency_ratio=1_000, max_calibration_loss=1.0),
        groups=groups_of_tasks(rows_of_field, [groups[at] for at in split.frozen], new.tasks),
    )

    assert taught_tasks(new.tasks, metrics) == ["field"]
    assert set(challenger.tasks) == {"field"}
    assert verdict.promote, verdict.to_text()
    assert verdict.rows == {"field": len(frozen)}


def test_groups_are_those_of_the_rows_with_a_label() -> None:
    rows = make_rows(6)

    found = groups_of_tasks(rows, [0, 0, 2, 3, 3, 5], {"field": FIELD, "law": LAW})

    assert found["field"].tolist() == [0, 0, 2, 3, 3, 5]
    assert found["law"].tolist() == [0, 3, 5]


def test_tasks_that_a_model_lacks_or_that_ask_something_else_are_not_judged(
    old: MultiTaskBERT,
) -> None:
    wider = Task("field", TaskType.CLASSIFICATION, classes=("care", "law", "code", "sales"))
    rows = [*make_rows(8), MultiTaskExample("sales clerk", {"field": "sales"})]

    same = judge_scoring_model(old, "jobs@1", rows[:8], {"field": FIELD, "law": LAW})
    redefined = judge_scoring_model(old, "jobs@1", rows, {"field": wider, "law": LAW})

    assert set(same.judged) == set(same.tasks) == {"field"}
    assert isinstance(same.judged["field"], Judged)
    assert np.array_equal(same.judged["field"].targets, [0, 1, 2, 0, 1, 2, 0, 1])
    assert not redefined.judged
    assert not redefined.tasks
