"""What trainers tell, in the words that all runs share, and which of it is the loss curve."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel_workers.training.progress_reports import (
    MAX_POINTS,
    CurvePoints,
    ProgressReports,
)


def own_model(step: int, total: int, phase: str = "training") -> dict[str, Any]:
    loss = 1.0 / step if phase == "training" else None
    return {"phase": phase, "step": step, "total_steps": total, "loss": loss, "eta_s": 3.0}


def test_a_run_over_fixed_embeddings_never_goes_back() -> None:
    reports = ProgressReports()
    told = [
        *(reports.complete(own_model(n, 4, "embedding")) for n in (1, 2, 3, 4)),
        *(reports.complete(own_model(n, 10)) for n in range(1, 11)),
    ]

    fractions = [report["fraction"] for report in told]
    assert fractions == sorted(fractions)
    assert (fractions[3], fractions[-1]) == (0.9, pytest.approx(1.0))
    assert {report["phase"] for report in told} == {"embedding", "training"}


def test_a_run_that_moves_the_encoder_counts_its_steps_alone() -> None:
    report = ProgressReports().complete(own_model(3, 12))

    assert (report["fraction"], report["eta_s"]) == (0.25, 3.0)


def test_heads_that_move_once_an_epoch_have_epochs_for_steps() -> None:
    report = ProgressReports().complete(
        {"fraction": 0.91, "epoch": 3.0, "epochs": 30.0, "loss": 0.5}
    )

    assert (report["step"], report["total_steps"], report["phase"]) == (3, 30, "training")


def test_what_is_told_before_the_first_loss_is_preparation() -> None:
    report = ProgressReports().complete({"fraction": 0.2})

    assert (report["phase"], report["step"], report["loss"]) == ("embedding", None, None)


def test_the_time_left_follows_from_the_pace_and_is_not_guessed_at_first() -> None:
    reports = ProgressReports()

    first, second = (reports.complete({"fraction": share}) for share in (0.5, 0.75))

    assert first["eta_s"] is None
    assert second["eta_s"] > 0


def chosen(points: CurvePoints, steps: range, total: int, **more: Any) -> list[int]:
    reports = ProgressReports()
    told = [reports.complete({**own_model(step, total), **more}) for step in steps]
    return [point.step for point in map(points.choose, told) if point is not None]


@pytest.mark.parametrize("total", [1, 7, MAX_POINTS, 1_000, 12_345])
@pytest.mark.parametrize("every", [1, 10])
def test_a_curve_is_even_and_ends_with_the_last_step(total: int, every: int) -> None:
    steps = chosen(CurvePoints(), range(every, total + 1, every), total)

    assert len(steps) <= MAX_POINTS + 1
    assert len(steps) >= min(total // every, MAX_POINTS // 2)
    if total % every == 0:
        assert steps[-1] == total


@pytest.mark.parametrize("killed_at", [1, 250, 999, 2_600])
@pytest.mark.parametrize("behind", [0, 37])
def test_the_points_do_not_depend_on_where_a_run_was_killed(killed_at: int, behind: int) -> None:
    total = 5_000
    whole = chosen(CurvePoints(), range(1, total + 1), total)

    # Given a run that was killed, whose last checkpoint is behind
    first = chosen(CurvePoints(), range(1, killed_at + 1), total)
    again = max(1, killed_at - behind + 1)
    kept = [step for step in first if step < again]
    # When it goes on from there
    second = chosen(CurvePoints(max(kept, default=0)), range(again, total + 1), total)

    assert kept + second == whole


def test_later_trainings_of_a_run_are_not_on_its_curve() -> None:
    points = CurvePoints()
    own = chosen(points, range(1, 101), 100)

    assert chosen(CurvePoints(), range(1, 101), 100, stage=1.0) == []
    assert chosen(points, range(1, 101), 100) == []  # not even if they are not marked
    assert len(own) == 100
