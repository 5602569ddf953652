"""How often the gate is right: over many trainings whose true gain is known."""

from __future__ import annotations

from functools import cache

from simulated_models import decide_on, judge_categories

from jobsentinel_workers.gate import Verdict

TRAININGS = 40
ROWS = 400


@cache
def verdicts(logits: float) -> tuple[Verdict, ...]:
    """Return the verdicts on challengers that are better by so many ``logits``."""
    return tuple(
        decide_on(
            [judge_categories(ROWS, logits, seed=training, own=2)],
            [judge_categories(ROWS, 0.0, seed=training, own=1)],
        )
        for training in range(TRAININGS)
    )


def promoted(logits: float) -> float:
    """Return the share of trainings that were promoted."""
    return sum(verdict.promote for verdict in verdicts(logits)) / TRAININGS


def test_a_challenger_no_better_is_promoted_about_one_time_in_forty() -> None:
    assert promoted(0.0) <= 0.1


def test_a_worse_challenger_is_never_promoted() -> None:
    assert promoted(-0.3) == 0.0


def test_a_challenger_nine_points_better_is_promoted_nine_times_in_ten() -> None:
    assert promoted(0.6) >= 0.85


def test_the_noise_of_calibration_rarely_holds_back_a_gain() -> None:
    held_back = [
        verdict
        for verdict in verdicts(0.6)
        if any(found.metric == "calibration_error" for found in verdict.failed_guards)
    ]

    assert len(held_back) <= 0.1 * TRAININGS
