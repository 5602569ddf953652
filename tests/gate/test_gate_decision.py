"""A challenger is promoted by itself only if it gains beyond chance and harms nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_models import (
    CATEGORY,
    DATE,
    QUICK,
    SAME_SPEED,
    SCAM,
    contender,
    decide_contenders,
    decide_on,
    judge_categories,
    judge_salaries,
    judge_scams,
    judge_skills,
)

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.gate import Latency, decide
from jobsentinel_workers.multi_task.assessment import Judged, measure
from jobsentinel_workers.multi_task.tasks import Task, TaskType


def test_a_better_challenger_that_harms_nothing_is_promoted() -> None:
    champion, challenger = judge_categories(400, 0.0), judge_categories(400, 1.0, own=1)
    scams = judge_scams(400, 1.0)

    verdict = decide_on([challenger, scams], [champion, scams])

    assert verdict.promote
    main = next(found for found in verdict.comparisons if found.role == "main")
    gain = measure(challenger)["macro_f1"] - measure(champion)["macro_f1"]
    assert main.value == pytest.approx(gain)
    assert 0 < main.low < main.value < main.high
    assert verdict.reasons[0].startswith("job_category: main metric Macro F1 +")
    assert verdict.rows == {"job_category": 400, "scam_detection": 400}


def test_a_better_main_metric_does_not_pay_for_a_harmed_guard() -> None:
    champion = [judge_categories(400, 0.0), judge_scams(400, 0.8)]
    challenger = [judge_categories(400, 1.0, own=1), judge_scams(400, 2.0, own=1)]

    verdict = decide_on(challenger, champion)

    assert not verdict.promote
    assert any(found.role == "main" and found.passed for found in verdict.comparisons)
    assert "scam_detection" in {found.task for found in verdict.failed_guards}
    assert any(
        reason.startswith("scam_detection: guard PR-AUC -")
        and reason.endswith("is below the tolerance -0.010")
        for reason in verdict.reasons
    )


@pytest.mark.parametrize(
    "judged",
    [
        judge_categories(150, 0.5),
        judge_scams(150, 1.0),
        judge_salaries(150, 0.2),
        judge_skills(150, 1.0),
    ],
    ids=lambda judged: judged.task.name,
)
def test_the_same_judged_twice_is_never_promoted(judged: Judged) -> None:
    verdict = decide_on([judged], [judged], trained=[judged.task.name])

    assert not verdict.promote
    assert not verdict.failed_guards
    assert "is not above 0" in verdict.reasons[0]


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(2, 250),
    better_by=st.floats(-1.0, 2.0),
    noise=st.floats(0.3, 3.0),
    seed=st.integers(0, 2**16),
    strict=st.booleans(),
)
def test_nothing_is_promoted_whose_interval_reaches_zero_or_whose_guard_fails(
    rows: int, better_by: float, noise: float, seed: int, strict: bool
) -> None:
    champion = [judge_categories(rows, 0.0, seed=seed), judge_scams(rows, 1.0, seed=seed)]
    challenger = [
        judge_categories(rows, better_by, seed=seed, own=1),
        judge_scams(rows, noise, seed=seed, own=1),
    ]
    policy = replace(QUICK, guard_by="lower_bound" if strict else "estimate")

    verdict = decide_on(challenger, champion, policy=policy)

    mains = [found for found in verdict.comparisons if found.role == "main"]
    assert verdict.reasons
    assert all(found.passed == (found.low > 1e-12) for found in mains)
    assert not verdict.promote or any(found.low > 0 for found in mains)
    assert not (verdict.promote and (verdict.failed_guards or rows < 100))


def test_too_few_rows_never_promote_and_the_reason_says_how_many_are_needed() -> None:
    champion, challenger = judge_categories(60, -2.0), judge_categories(60, 4.0, own=1)

    verdict = decide_on([challenger], [champion])

    assert verdict.comparisons[0].passed
    assert not verdict.promote
    assert any("60 rows were judged" in why and "100 are needed" in why for why in verdict.reasons)


def test_near_duplicates_count_as_one_row() -> None:
    champion, challenger = judge_categories(400, -1.0), judge_categories(400, 2.0, own=1)
    groups = np.arange(400) // 8

    verdict = decide(
        contender("jobs@2", challenger),
        contender("jobs@1", champion),
        trained=["job_category"],
        latency=SAME_SPEED,
        date=DATE,
        policy=QUICK,
        groups={"job_category": groups},
    )

    assert not verdict.promote
    assert any("50 rows were judged" in reason for reason in verdict.reasons)


def test_a_few_scams_among_many_rows_decide_nothing() -> None:
    targets = (np.arange(400) < 5).astype(float)
    worse = Judged(SCAM, targets, np.where(np.arange(400) % 2, 0.1, 0.2))
    better = Judged(SCAM, targets, np.where(targets > 0, 0.9, 0.1))

    verdict = decide_on([better], [worse], trained=["scam_detection"])

    assert not verdict.promote
    assert any("are labelled yes; 20 are needed" in reason for reason in verdict.reasons)


def test_without_a_champion_the_constant_answer_has_to_be_beaten() -> None:
    useful, useless = judge_categories(300, 1.0), judge_categories(300, -9.0)

    verdicts = [
        decide(
            contender("jobs@1", judged),
            None,
            trained=["job_category"],
            latency=None,
            date=DATE,
            policy=QUICK,
        )
        for judged in (useful, useless)
    ]

    assert [verdict.promote for verdict in verdicts] == [True, False]
    assert verdicts[0].champion is None
    assert verdicts[0].reasons[0].endswith("is above 0 over a constant answer")
    assert all(found.against == "constant answer" for found in verdicts[0].comparisons)


def test_a_task_that_the_champion_lacks_has_to_beat_the_constant_answer() -> None:
    category = judge_categories(300, 1.0)

    good = decide_on([category, judge_scams(300, 0.5)], [category], trained=["scam_detection"])
    bad = decide_on([category, judge_scams(300, 50.0)], [category], trained=["scam_detection"])

    assert good.promote
    assert not bad.promote


def test_a_new_task_without_use_is_not_carried_by_another_that_gains() -> None:
    champion, challenger = judge_categories(400, 0.0), judge_categories(400, 1.5, own=1)

    verdict = decide_on(
        [challenger, judge_scams(400, 50.0)],
        [champion],
        trained=["job_category", "scam_detection"],
    )

    assert not verdict.promote
    assert [(found.task, found.against) for found in verdict.failed_guards] == [
        ("scam_detection", "constant answer")
    ]


def test_of_several_trained_tasks_one_has_to_gain_and_none_may_lose() -> None:
    champion = [judge_categories(400, 0.0), judge_salaries(400, 0.2)]
    gain, loss = (judge_salaries(400, noise, own=1) for noise in (0.1, 0.4))
    trained = ["job_category", "salary_prediction"]

    gained = decide_on([champion[0], gain], champion, trained=trained)
    lost = decide_on([judge_categories(400, 1.5, own=1), loss], champion, trained=trained)
    neither = decide_on([champion[0], champion[1]], champion, trained=trained)

    assert gained.promote
    assert [found.passed for found in gained.comparisons if found.role == "main"] == [False, True]
    assert not lost.promote
    assert not neither.promote


def test_several_chances_to_gain_widen_each_interval() -> None:
    champion = [judge_categories(400, 0.0), judge_salaries(400, 0.2)]
    challenger = [judge_categories(400, 0.5, own=1), judge_salaries(400, 0.19, own=1)]

    alone = decide_on(challenger, champion).comparisons[0]
    together = decide_on(
        challenger, champion, trained=["job_category", "salary_prediction"]
    ).comparisons[0]

    assert (alone.confidence, together.confidence) == (0.95, pytest.approx(0.975))
    assert together.low < alone.low < alone.value == together.value


def test_a_task_that_falls_silent_is_a_loss_that_no_gain_outweighs() -> None:
    champion = contender("jobs@1", judge_categories(400, 0.0), tasks=["match_quality"])
    challenger = contender("jobs@2", judge_categories(400, 1.5, own=1))

    verdict = decide_contenders(challenger, champion)

    assert not verdict.promote
    assert "match_quality: the champion answers it, the challenger does not" in verdict.reasons


def test_a_task_that_nobody_labelled_is_named_and_does_not_hold_back_others() -> None:
    champion = contender("jobs@1", judge_categories(400, 0.0), tasks=["match_quality"])
    challenger = contender("jobs@2", judge_categories(400, 1.5, own=1), tasks=["match_quality"])

    verdict = decide_contenders(challenger, champion)

    assert verdict.promote
    assert any(reason.startswith("match_quality: not compared") for reason in verdict.reasons)


def test_an_untouched_task_with_few_rows_does_not_hold_back_others() -> None:
    scams = judge_scams(12, 1.0)

    verdict = decide_on(
        [judge_categories(400, 1.5, own=1), scams], [judge_categories(400, 0.0), scams]
    )

    assert verdict.promote


def test_a_trained_task_without_judged_rows_is_not_promoted() -> None:
    champion, challenger = judge_categories(400, 0.0), judge_categories(400, 1.5, own=1)

    verdict = decide_on([challenger], [champion], trained=["job_category", "scam_detection"])

    assert not verdict.promote
    assert any(why.startswith("scam_detection: 0 rows were judged") for why in verdict.reasons)


def test_probabilities_that_promise_too_much_are_not_promoted() -> None:
    champion, better = judge_categories(400, 0.0), judge_categories(400, 1.0, own=1)
    sure = np.where(better.answers == better.answers.max(axis=1, keepdims=True), 0.9999, 1e-5)

    verdict = decide_on([Judged(CATEGORY, better.targets, sure)], [champion])

    assert not verdict.promote
    assert [found.metric for found in verdict.failed_guards] == ["calibration_error"]
    assert any("guard Calibration error gain -" in reason for reason in verdict.reasons)


def test_intervals_of_values_that_promise_too_much_are_not_promoted() -> None:
    champion = judge_salaries(400, 0.2)
    narrow = judge_salaries(400, 0.1, width=1.001, own=1)

    verdict = decide_on([narrow], [champion], trained=["salary_prediction"])

    assert not verdict.promote
    assert [found.metric for found in verdict.failed_guards] == ["calibration_error"]


def test_values_tolerate_a_share_of_the_champions_error() -> None:
    champion = judge_salaries(400, 0.2)
    policy = replace(QUICK, max_relative_loss=0.05)

    challenger = judge_salaries(400, 0.2, own=1)
    verdict = decide_on([challenger], [champion], trained=["job_category"], policy=policy)

    guard = next(found for found in verdict.comparisons if found.metric == "mae")
    assert guard.bound == pytest.approx(-0.05 * measure(champion)["mae"])


def test_a_slower_challenger_is_not_promoted() -> None:
    champion, challenger = judge_categories(400, 0.0), judge_categories(400, 1.0, own=1)

    verdict = decide_on([challenger], [champion], latency=Latency(0.002, 0.0026))

    assert not verdict.promote
    assert verdict.failed_guards[0].metric == "latency"
    assert any("latency x1.30 is above the limit x1.25" in reason for reason in verdict.reasons)


def test_a_strict_policy_asks_guards_for_their_lower_bound() -> None:
    champion = [judge_categories(400, 0.0), judge_scams(400, 1.0)]
    challenger = [judge_categories(400, 1.5, own=1), judge_scams(400, 0.95, own=7)]

    loose = decide_on(challenger, champion, policy=replace(QUICK, max_loss=0.02))
    strict = decide_on(
        challenger, champion, policy=replace(QUICK, max_loss=0.02, guard_by="lower_bound")
    )

    assert len(strict.failed_guards) > len(loose.failed_guards)
    assert all(found.low < found.bound for found in strict.failed_guards)


def test_another_confidence_moves_the_ends_and_not_the_gain() -> None:
    champion, challenger = judge_categories(200, 0.0), judge_categories(200, 0.5, own=1)

    ninety, most = (
        decide_on([challenger], [champion], policy=replace(QUICK, confidence=c)).comparisons[0]
        for c in (0.9, 0.99)
    )

    assert ninety.value == most.value
    assert most.low < ninety.low < ninety.high < most.high


def test_a_metric_that_the_rows_do_not_define_is_an_obstacle() -> None:
    score = Task("score", TaskType.REGRESSION)
    targets = np.ones(150)
    judged = Judged(score, targets, np.tile([0.0, 0.5, 1.0], (150, 1)))
    policy = replace(QUICK, task_metrics={"score": "spearman"})

    verdict = decide_on([judged], [judged], trained=["score"], policy=policy)

    assert not verdict.promote
    assert any("is not defined for the judged rows" in reason for reason in verdict.reasons)


def test_other_rows_or_other_classes_cannot_be_compared() -> None:
    judged = judge_categories(120, 0.0)
    turned = replace(CATEGORY, classes=tuple("hgfedcba"))

    with pytest.raises(InvalidInput, match=r"judged\.job_category: must be the same rows"):
        decide_on([judged], [judge_categories(120, 0.0, seed=5)])
    with pytest.raises(InvalidInput, match="with the same classes"):
        decide_on([judged], [Judged(turned, judged.targets, judged.answers)])
    with pytest.raises(InvalidInput, match="for both models or for neither"):
        decide(
            contender("jobs@2", judged),
            contender("jobs@1", tasks=["job_category"]),
            trained=["job_category"],
            latency=SAME_SPEED,
            date=DATE,
        )


def test_a_decision_needs_a_trained_task_and_a_measured_latency() -> None:
    judged = judge_categories(120, 0.0)

    with pytest.raises(InvalidInput, match="trained: must name"):
        decide_on([judged], [judged], trained=[])
    with pytest.raises(InvalidInput, match="latency: must be measured"):
        decide_on([judged], [judged], latency=None)


def test_the_same_rows_and_policy_give_the_same_verdict() -> None:
    champion, challenger = judge_categories(150, 0.0), judge_categories(150, 0.5, own=1)

    first, again = (decide_on([challenger], [champion]) for _ in range(2))

    assert first == again
