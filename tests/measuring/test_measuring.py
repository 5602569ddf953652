"""What the benchmarks compute from durations and postings; no duration is asserted."""

from __future__ import annotations

from itertools import islice

import pytest
from benchmarks.measure import Row, Times, in_turn, times_as_fast
from benchmarks.real_postings import varied

from jobsentinel import Posting


@pytest.mark.parametrize(
    ("value", "goal", "met"),
    [(2.0, "< 2", False), (2.0, "<= 2", True), (3.0, ">= 3", True), (2.9, ">= 3", False)],
)
def test_a_goal_is_met_or_missed_by_its_sign(value: float, goal: str, met: bool) -> None:
    assert Row("a figure", value, "x", goal).met is met


def test_percentiles_are_durations_that_were_taken() -> None:
    times = Times.of(n / 1e3 for n in range(20, 0, -1))

    assert times.p50 == pytest.approx(10.5)
    assert times.p95 == pytest.approx(19.0)
    assert Times.of([0.004]).p95 == pytest.approx(4.0)


def test_durations_of_several_rounds_become_one_distribution() -> None:
    parts = [Times.of([0.003, 0.001]), Times.of([0.002])]

    assert Times.joined(parts).ordered_ms == pytest.approx((1.0, 2.0, 3.0))


def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    heard: list[tuple[str, int]] = []

    ours, peer = in_turn(
        2, lambda n: heard.append(("ours", n)), lambda n: heard.append(("peer", n)), warm_up=True
    )

    assert heard == [(side, n) for n in (-1, 0, 1) for side in ("ours", "peer")]
    assert len(ours.ordered_ms) == len(peer.ordered_ms) == 2


def test_being_faster_gives_a_ratio_above_one() -> None:
    row = times_as_fast("ours over peer", Times.of([0.1]), Times.of([0.3]), ">= 3")

    assert row.value == pytest.approx(3.0)


def test_varied_postings_have_texts_of_their_own_wherever_counting_starts() -> None:
    real = [
        Posting(id=str(n), title=f"Title {n}", description=f"first {n} second {n}")
        for n in range(5)
    ]

    found = [*varied(real, 12), *islice(varied(real, 8, start=12), 8)]

    assert len({posting.text() for posting in found}) == 20
    assert len({posting.id for posting in found}) == 20
