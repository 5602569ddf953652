"""A drop of accuracy is seen where it is real, and not by looking often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.accuracy_drop import Tally, compare_accuracy


@given(labels=st.integers(1, 400), data=st.data())
def test_the_interval_is_wilsons(labels: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, labels))

    low, high = Tally(hits, labels).interval(0.9)

    expected = binomtest(hits, labels).proportion_ci(0.9, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_of_no_labels_nothing_is_known() -> None:
    assert Tally(0, 0).interval() == (0.0, 1.0)
    assert Tally(0, 0).accuracy is None

    compared = compare_accuracy(Tally(0, 0), Tally(3, 40))

    assert (compared.drop, compared.is_real) == (None, False)
    with pytest.raises(InvalidInput, match="hits: must be 0 to 3"):
        Tally(4, 3)


@pytest.mark.parametrize(
    ("before", "now", "is_real"),
    [
        (Tally(180, 200), Tally(0, 2), False),  # two misses in a row are no proof
        (Tally(180, 200), Tally(20, 40), True),
        (Tally(180, 200), Tally(33, 40), False),
        (Tally(27, 30), Tally(10, 20), False),  # so little was known before, too
        (Tally(27, 30), Tally(8, 40), True),
        (Tally(0, 50), Tally(0, 50), False),  # it cannot fall any lower
        (Tally(200, 200), Tally(200, 200), False),
    ],
)
def test_few_labels_prove_little_and_many_prove_much(
    before: Tally, now: Tally, is_real: bool
) -> None:
    assert compare_accuracy(before, now).is_real is is_real


def test_looking_after_every_label_gives_hardly_a_false_alarm() -> None:
    # Given circles in which nothing drops, looked at after each of 120 labels
    rng, alarms, plain = np.random.default_rng(0), 0, 0
    for _ in range(200):
        before = Tally(int(rng.binomial(60, 0.85)), 60)
        hits = np.cumsum(rng.random(120) < 0.85)
        tallies = [Tally(int(hit), n) for n, hit in enumerate(hits, start=1)]
        alarms += any(compare_accuracy(before, now).is_real for now in tallies)
        # A test at 5 % of each look by itself, beside it
        plain += any(now.interval(0.9)[1] < 0.85 for now in tallies if now.labels >= 10)

    # Then fewer than one in twenty alarms, where a plain test does in one of four or more
    assert alarms / 200 <= 0.05
    assert plain / 200 > 0.15


def test_a_great_drop_is_found_soon() -> None:
    rng, needed = np.random.default_rng(1), []
    for _ in range(50):
        hits = np.cumsum(rng.random(300) < 0.5)
        compared = (
            compare_accuracy(Tally(170, 200), Tally(int(h), n + 1)) for n, h in enumerate(hits)
        )
        needed.append(next(n for n, found in enumerate(compared, start=1) if found.is_real))

    assert np.median(needed) < 45
