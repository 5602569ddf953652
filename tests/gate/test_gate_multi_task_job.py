"""A training of the scoring model learns from the rows that are not frozen, and these judge it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.training_requests import TrainMultiTaskRequest
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import MultiTaskBERT, MultiTaskExample, Task, TaskType
from jobsentinel_workers.multi_task.run_control import never_stop, report_nothing
from jobsentinel_workers.registry import ModelRegistry, ModelVersion
from jobsentinel_workers.training.multi_task_job import MultiTaskJob, digest, tasks_of
from jobsentinel_workers.training.trained import Trained

FIELD = Task("field", TaskType.CLASSIFICATION, classes=("care", "law", "code"))
TEXTS = {"care": "nurse on a ward", "law": "attorney for contracts", "code": "python developer"}
LOOSE = {"min_rows": 20, "max_latency_ratio": 1_000.0, "max_calibration_loss": 1.0}
LETTERS = str.maketrans("0123456789", "abcdefghij")


def make_rows(count: int) -> list[MultiTaskExample]:
    kinds = list(TEXTS)
    return [
        MultiTaskExample(
            f"{TEXTS[kinds[n % 3]]} {str(n * n).translate(LETTERS)} {str(n).translate(LETTERS)}",
            {"field": kinds[n % 3]},
        )
        for n in range(count)
    ]


@pytest.fixture
def base(encoder: TextEncoder, tmp_path: Path) -> ModelVersion:
    """A version in service that answers nothing yet."""
    folder = MultiTaskBERT(encoder, [FIELD]).save(tmp_path / "built-in")
    return ModelRegistry(tmp_path / "models", builtin={"multi-task": folder}).get("multi-task")


def job(
    base: ModelVersion,
    rows: list[MultiTaskExample],
    folder: Path,
    judged_before: frozenset[str] = frozenset(),
    **options: object,
) -> MultiTaskJob:
    request = TrainMultiTaskRequest.parse({"epochs": 30, "gate": LOOSE, **options})
    return MultiTaskJob(request, base, rows, "fp32", judged_before, folder)


def train(work: MultiTaskJob) -> Trained:
    return work.train(report_nothing, never_stop)


def test_a_version_that_gains_on_the_frozen_rows_passes_and_is_described(
    base: ModelVersion, tmp_path: Path
) -> None:
    rows = make_rows(300)

    trained = train(job(base, rows, tmp_path / "run"))
    trained.save(tmp_path / "staging")
    verdict = trained.judge(tmp_path / "staging", base)

    assert verdict.promote, verdict.to_text()
    assert (verdict.champion, verdict.challenger) == ("multi-task@0", "multi-task@new")
    assert verdict.rows["field"] == len(trained.frozen)
    assert 20 <= len(trained.frozen) <= 90
    assert verdict.latency is not None
    assert trained.lineage["data_sha256"] == digest(rows)
    assert f"field: {len(trained.frozen)} rows" in trained.report
    assert (tmp_path / "staging" / "report.html").exists()


def test_a_row_that_judged_before_judges_again_whatever_else_there_is(
    base: ModelVersion, tmp_path: Path
) -> None:
    rows = make_rows(120)
    first = train(job(base, rows[:60], tmp_path / "one", epochs=1))

    more = train(job(base, rows[::-1], tmp_path / "two", first.frozen, epochs=1))

    assert first.frozen < more.frozen


def test_too_few_rows_are_all_learnt_from_and_never_promoted(
    base: ModelVersion, tmp_path: Path
) -> None:
    trained = train(job(base, make_rows(12), tmp_path / "run", gate={}))
    trained.save(tmp_path / "staging")

    verdict = trained.judge(tmp_path / "staging", base)

    assert not verdict.promote
    assert any("100 are needed" in reason for reason in verdict.reasons), verdict.reasons


def test_a_bad_row_is_named_by_the_position_that_the_sender_knows(
    base: ModelVersion, tmp_path: Path
) -> None:
    rows = make_rows(60)
    rows[41] = MultiTaskExample("cook in a canteen", {"field": "cooking"})

    with pytest.raises(InvalidInput, match=r"rows\.41\.labels\.field"):
        train(job(base, rows, tmp_path / "run"))


def test_a_limit_of_the_gate_that_there_is_not_is_refused_before_training(
    base: ModelVersion, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=r"policy\.min_row: is not a field"):
        train(job(base, make_rows(60), tmp_path / "run", gate={"min_row": 20}))


def test_after_new_rows_the_verdict_says_what_became_of_the_old_ones(
    base: ModelVersion, tmp_path: Path
) -> None:
    # Given a champion that knows two fields
    rows = make_rows(300)
    old = [row for row in rows if row.labels["field"] != "code"]
    known = train(job(base, old, tmp_path / "one"))
    known.save(tmp_path / "champion")
    registry = ModelRegistry(tmp_path / "models")
    registry.register("multi-task", tmp_path / "champion", kind="multi-task")
    champion = registry.promote("multi-task", 1)

    # When it learns the third one, with the old rows replayed
    new = [row for row in rows if row.labels["field"] == "code"]
    request = TrainMultiTaskRequest.parse({"epochs": 30, "gate": LOOSE})
    again = MultiTaskJob(
        request, champion, [*new, *old], "fp32", known.frozen, tmp_path / "two", new=len(new)
    )
    trained = train(again)
    trained.save(tmp_path / "challenger")
    verdict = trained.judge(tmp_path / "challenger", champion)

    # Then the verdict tells both kinds apart
    assert verdict.promote, verdict.to_text()
    before, after = verdict.reasons[-2:]
    assert before.startswith(f"field: on {len(known.frozen)} rows known before Macro F1")
    assert after.startswith(f"field: on {len(trained.frozen - known.frozen)} new rows Macro F1 +")


def test_added_tasks_are_known_before_the_model_is_loaded(base: ModelVersion) -> None:
    request = TrainMultiTaskRequest.parse({"tasks": [{"name": "years", "type": "regression"}]})

    assert list(tasks_of(base, request)) == ["years", "field"]
