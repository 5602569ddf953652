"""The trigger: what makes a training due, what does not, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning import RetrainingTrigger
from jobsentinel_workers.active_learning.accuracy_drop import AccuracyDrop, Tally, compare_accuracy
from jobsentinel_workers.active_learning.drift import Drift

DROP = compare_accuracy(Tally(180, 200), Tally(20, 40))
BY_CHANCE = compare_accuracy(Tally(180, 200), Tally(1, 3))
DRIFT = Drift(0.02, 0.001, 300, 80)


def decide(trigger: RetrainingTrigger | None = None, **numbers: Any) -> tuple[bool, str]:
    given = {"new_labels": 12, "days_since_training": 1.0, "classes": 3, **numbers}
    decision = (trigger or RetrainingTrigger()).decide(**given)
    return decision.due, decision.reason


@pytest.mark.parametrize(
    ("numbers", "due", "reason"),
    [
        ({}, False, "12 of 50 new labels"),
        ({"new_labels": 50}, True, "50 new labels"),
        ({"days_since_training": 7.0}, True, "12 new labels have waited 7.0 days"),
        ({"days_since_training": 9.0, "new_labels": 0}, False, "0 of 50 new labels"),
        ({"new_labels": 90, "classes": 1}, False, "only 1 of 2 classes seen"),
        (
            {"accuracy": DROP},
            True,
            "accuracy on random labels fell from 90% of 200 to 50% of 40; 12 new labels",
        ),
        ({"accuracy": BY_CHANCE}, False, "12 of 50 new labels"),
        (
            {"drift": DRIFT},
            True,
            "new postings are unlike those before (drift 0.020); 12 new labels",
        ),
        (
            {"drift": DRIFT, "new_labels": 9},
            False,
            "9 of the 10 new labels that an alarm needs; new postings are unlike those before "
            "(drift 0.020)",
        ),
        ({"drift": Drift(0.002, 0.001, 300, 300)}, False, "12 of 50 new labels"),
        ({"drift": Drift(0.02, 0.03, 30, 30)}, False, "12 of 50 new labels"),
        (
            {"new_labels": 60, "drift": DRIFT},
            True,
            "60 new labels; new postings are unlike those before (drift 0.020)",
        ),
    ],
)
def test_what_is_due_and_what_is_said(numbers: dict[str, Any], due: bool, reason: str) -> None:
    assert decide(**numbers) == (due, reason)


def test_what_is_switched_off_is_never_a_reason() -> None:
    off = RetrainingTrigger(max_days=None, max_drop=None, max_drift=None)

    assert decide(off, accuracy=DROP, drift=DRIFT, days_since_training=900.0) == (
        False,
        "12 of 50 new labels",
    )


def test_a_real_drop_that_is_tolerated_is_no_reason() -> None:
    assert decide(RetrainingTrigger(max_drop=0.45), accuracy=DROP)[0] is False


def test_the_decision_has_the_numbers_it_rests_on() -> None:
    decision = RetrainingTrigger().decide(
        new_labels=12, days_since_training=1.5, classes=3, accuracy=DROP, drift=DRIFT
    )

    assert decision.numbers["new_labels"] == 12
    assert decision.numbers["accuracy"]["now"]["accuracy"] == 0.5
    assert decision.numbers["accuracy"]["drop"] == pytest.approx(0.4)
    assert decision.numbers["drift"]["p_value"] == 0.001
    assert isinstance(DROP, AccuracyDrop)


def test_a_trigger_is_the_same_after_it_was_stored() -> None:
    trigger = RetrainingTrigger(min_new_labels=5, max_days=None, max_drift=0.3)

    assert RetrainingTrigger.from_json(trigger.to_json()) == trigger
    assert RetrainingTrigger.from_json({}) == RetrainingTrigger()
    with pytest.raises(InvalidInput, match="min_labels: is no limit of the trigger"):
        RetrainingTrigger.from_json({"min_labels": 3})


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("min_new_labels", 0),
        ("alarm_labels", True),
        ("max_days", 0.0),
        ("max_days", float("nan")),
        ("max_drop", 0.0),
        ("max_drop", 1),
        ("max_drift", -0.1),
        ("error_rate", None),
        ("drift_p", 1.5),
    ],
)
def test_a_limit_out_of_bounds_is_named(limit: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"^{limit}: must be"):
        RetrainingTrigger(**{limit: value})
