"""A verdict comes back from JSON as it was, and says in words what it holds."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_models import (
    DATE,
    QUICK,
    contender,
    decide_on,
    judge_categories,
    judge_salaries,
    judge_scams,
)

from jobsentinel_workers.gate import Latency, Verdict, decide
from jobsentinel_workers.gate.writing import write_reason


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(1, 200),
    better_by=st.floats(-2.0, 2.0),
    noise=st.floats(0.05, 0.6),
    slower=st.floats(0.5, 3.0),
)
def test_json_brings_the_verdict_back(
    rows: int, better_by: float, noise: float, slower: float
) -> None:
    verdict = decide_on(
        [judge_categories(rows, better_by, own=1), judge_salaries(rows, noise, own=1)],
        [judge_categories(rows, 0.0), judge_salaries(rows, 0.2)],
        latency=Latency(0.001, 0.001 * slower),
    )

    again = Verdict.from_json(json.loads(json.dumps(verdict.to_json(), allow_nan=False)))

    assert again == verdict
    assert again.to_text() == verdict.to_text()


def test_a_verdict_without_a_champion_comes_back_too() -> None:
    verdict = decide(
        contender("jobs@1", judge_categories(120, 1.0)),
        None,
        trained=["job_category"],
        latency=None,
        date=DATE,
        policy=QUICK,
    )

    assert Verdict.from_json(verdict.to_json()) == verdict
    assert verdict.to_text().startswith("jobs@1 without a champion, 2026-11-23: promoted\n")


@settings(max_examples=20, deadline=None)
@given(
    worse=st.floats(0.0, 3.0),
    noise=st.floats(0.05, 0.8),
    scam_noise=st.floats(0.3, 4.0),
    slower=st.floats(0.5, 3.0),
)
def test_the_text_names_every_failed_guard(
    worse: float, noise: float, scam_noise: float, slower: float
) -> None:
    verdict = decide_on(
        [
            judge_categories(150, -worse, own=1),
            judge_salaries(150, noise, own=1),
            judge_scams(150, scam_noise, own=1),
        ],
        [judge_categories(150, 0.0), judge_salaries(150, 0.2), judge_scams(150, 1.0)],
        latency=Latency(0.001, 0.001 * slower),
    )

    text, line = verdict.to_text(), verdict.to_line()

    for guard in verdict.failed_guards:
        assert f"  - {write_reason(guard)}\n" in text
        assert write_reason(guard) in line
    assert text.count("  NO") == sum(not found.passed for found in verdict.comparisons)
    assert "\n" not in line


def test_the_text_gives_decision_reasons_and_figures() -> None:
    verdict = decide_on(
        [judge_categories(400, 1.0, own=1), judge_scams(400, 2.0, own=1)],
        [judge_categories(400, 0.0), judge_scams(400, 0.8)],
        latency=Latency(0.0016, 0.0021),
    )

    lines = verdict.to_text().splitlines()

    assert lines[0] == "jobs@2 beside jobs@1, 2026-11-23: not promoted"
    assert lines[1].startswith("  - job_category: main metric Macro F1 +")
    assert lines[1].endswith("] is above 0")
    assert "Judged rows: job_category 400, scam_detection 400." in lines
    assert lines[-1] == "Latency: 2.10 ms a text, the champion 1.60 ms (x1.31)."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"role": "main", "passed": True, "needs": "above", "bound": 0.0, "low": 0.004},
            "job_category: main metric Macro F1 +0.021 [+0.004, +0.037] is above 0",
        ),
        (
            {"role": "main", "passed": False, "needs": "above", "bound": 0.0, "low": -0.002},
            "job_category: main metric Macro F1 +0.021 [-0.002, +0.037] is not above 0",
        ),
        (
            {"value": -0.03, "low": -0.051, "high": -0.009, "passed": False},
            "job_category: guard Macro F1 -0.030 [-0.051, -0.009] is below the tolerance -0.010",
        ),
        (
            {"title": "Accuracy", "form": "share", "metric": "accuracy", "passed": False},
            "job_category: guard Accuracy +2.1 [+0.4, +3.7] points is below the tolerance "
            "-1.0 points",
        ),
        (
            {"title": "MAE, USD", "form": "value", "metric": "mae", "value": 900.0, "low": 300.0,
             "high": 1500.0, "role": "main", "needs": "above", "passed": True},
            "job_category: main metric MAE, USD gain +900 [+300, +1,500] is above 0",
        ),
        (
            {"role": "main", "needs": "above", "passed": True, "against": "constant answer"},
            "job_category: main metric Macro F1 +0.021 [+0.004, +0.037] is above 0 "
            "over a constant answer",
        ),
    ],
)  # fmt: skip
def test_a_reason_reads_as_a_person_would_say_it(changes: dict[str, object], sentence: str) -> None:
    found = decide_on([judge_categories(120, 0.0)], [judge_categories(120, 0.0)]).comparisons[1]
    example = replace(found, value=0.021, low=0.004, high=0.037, bound=-0.01)

    assert write_reason(replace(example, **changes)) == sentence
