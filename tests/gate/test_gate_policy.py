"""A policy names what is wrong with it, and comes back from JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from simulated_models import (
    CATEGORY,
    SCAM,
    judge_categories,
    judge_salaries,
    judge_scams,
    judge_skills,
)

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.gate import GatePolicy
from jobsentinel_workers.gate.policy import MAIN_METRICS
from jobsentinel_workers.multi_task.assessment import Judged, measure
from jobsentinel_workers.multi_task.tasks import TaskType


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"max_loss": -0.1}, "policy.max_loss: must be from 0 to 1, not -0.1"),
        ({"max_loss": float("nan")}, "policy.max_loss: must be from 0 to 1, not nan"),
        ({"max_relative_loss": "much"}, "policy.max_relative_loss: must be from 0 to 1"),
        ({"max_calibration_loss": 2}, "policy.max_calibration_loss: must be from 0 to 1, not 2"),
        ({"max_latency_ratio": 0}, "policy.max_latency_ratio: must be from 0.1 to 1000, not 0"),
        ({"confidence": 1.0}, "policy.confidence: must be from 0.5 to 0.9999, not 1.0"),
        ({"confidence": True}, "policy.confidence: must be from 0.5 to 0.9999, not True"),
        ({"min_rows": 1}, "policy.min_rows: must be a whole number from 2 to 1000000, not 1"),
        ({"min_rows_of_a_kind": 0.5}, "policy.min_rows_of_a_kind: must be a whole number"),
        ({"resamples": 10}, "policy.resamples: must be a whole number from 100 to 100000"),
        ({"seed": -1}, "policy.seed: must be a whole number from 0"),
        ({"guard_by": "hope"}, "policy.guard_by: must be one of estimate, lower_bound"),
        ({"main_metrics": {"binary": "mae"}}, "policy.main_metrics.binary: must be one of brier"),
        ({"main_metrics": {"poem": "mae"}}, "policy.main_metrics.poem: must be one of binary"),
        ({"main_metrics": 3}, "policy.main_metrics: must be an object"),
        ({"task_metrics": {"scam": "coverage"}}, "policy.task_metrics.scam: must be one of"),
        ({"min_row": 5}, "policy.min_row: is not a field of the policy"),
    ],
)
def test_a_policy_beyond_a_limit_names_the_field_and_the_limit(
    fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        GatePolicy.from_json(fields)

    assert str(refused.value).startswith(problem)


def test_a_policy_comes_back_from_json() -> None:
    policy = GatePolicy(
        main_metrics={TaskType.BINARY: "roc_auc"},
        task_metrics={"job_category": "accuracy"},
        max_loss=0.02,
        guard_by="lower_bound",
    )

    again = GatePolicy.from_json(json.loads(json.dumps(policy.to_json())))

    assert again == policy
    assert GatePolicy.from_json({}) == GatePolicy()


def test_the_metric_of_a_task_goes_before_that_of_its_kind_and_that_before_the_default() -> None:
    kinds = {TaskType.BINARY: "roc_auc"}

    assert GatePolicy().main_metric(SCAM) == "pr_auc"
    assert GatePolicy(main_metrics=kinds).main_metric(SCAM) == "roc_auc"
    both = GatePolicy(main_metrics=kinds, task_metrics={"scam_detection": "f1"})
    assert both.main_metric(SCAM) == "f1"


def test_a_metric_that_the_task_does_not_have_is_refused() -> None:
    policy = GatePolicy(task_metrics={"job_category": "pr_auc"})

    with pytest.raises(InvalidInput, match=r"policy\.task_metrics\.job_category: must be one of"):
        policy.main_metric(CATEGORY)


@pytest.mark.parametrize(
    "judged",
    [
        judge_categories(50, 0.0),
        judge_scams(50, 1.0),
        judge_salaries(50, 0.2),
        judge_skills(50, 1.0),
    ],
    ids=lambda judged: judged.task.name,
)
def test_every_metric_that_may_be_main_is_one_that_is_measured(judged: Judged) -> None:
    only_at_a_base_rate = {name for name in MAIN_METRICS[judged.task.type] if "base" in name}
    only_in_the_other_scale = {"r2"} if judged.task.transform == "log" else set()

    named = MAIN_METRICS[judged.task.type] - only_at_a_base_rate - only_in_the_other_scale

    assert named <= measure(judged).keys()
