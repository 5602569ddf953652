"""Both models are timed in turns on the same texts; the clock is the test's own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.gate import Latency, measure_latency

TEXTS = ["nurse", "driver", "cook", "clerk"]


class Clock:
    """A clock that only models move."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.calls: list[str] = []
        self.seen: list[Sequence[str]] = []

    def __call__(self) -> float:
        return self.now_s

    def model(self, name: str, *takes_s: float) -> Model:
        return Model(self, name, takes_s)


class Model:
    """Takes the given seconds a call, one after the other and then from the start."""

    def __init__(self, clock: Clock, name: str, takes_s: tuple[float, ...]) -> None:
        self._clock, self._name, self._takes_s, self._calls = clock, name, takes_s, 0

    def __call__(self, texts: Sequence[str]) -> None:
        self._clock.now_s += self._takes_s[self._calls % len(self._takes_s)]
        self._clock.calls.append(self._name)
        self._clock.seen.append(texts)
        self._calls += 1


def test_medians_are_seconds_a_text_with_their_ratio() -> None:
    clock = Clock()

    found = measure_latency(
        clock.model("champion", 0.4), clock.model("challenger", 0.6), TEXTS, clock=clock
    )

    assert (found.champion_s, found.challenger_s) == pytest.approx((0.1, 0.15))
    assert found.ratio == pytest.approx(1.5)


def test_models_take_turns_and_each_is_first_in_every_other_round() -> None:
    clock = Clock()

    measure_latency(clock.model("a", 1.0), clock.model("b", 1.0), TEXTS, rounds=3, clock=clock)

    assert "".join(clock.calls) == "ab" + "ab" + "ba" + "ab"
    assert all(texts is TEXTS for texts in clock.seen)


def test_what_the_first_call_loads_and_what_disturbs_a_round_do_not_count() -> None:
    clock = Clock()
    champion = clock.model("champion", 90.0, 0.4, 0.4, 30.0, 0.4, 0.4)
    challenger = clock.model("challenger", 50.0, 0.4, 0.4, 0.4, 0.4, 70.0)

    found = measure_latency(champion, challenger, TEXTS, rounds=5, clock=clock)

    assert found.ratio == pytest.approx(1.0)


def test_nothing_is_measured_without_texts_rounds_or_a_clock_that_moves() -> None:
    clock = Clock()
    model, still = clock.model("a", 1.0), clock.model("b", 0.0)

    with pytest.raises(InvalidInput, match="texts: must hold at least one"):
        measure_latency(model, model, [], clock=clock)
    with pytest.raises(InvalidInput, match="rounds: must be at least 1, not 0"):
        measure_latency(model, model, TEXTS, rounds=0, clock=clock)
    with pytest.raises(InvalidInput, match="latency: must be above 0"):
        measure_latency(model, still, TEXTS, clock=clock)
    with pytest.raises(InvalidInput, match="latency: must be above 0"):
        Latency(float("nan"), 1.0)


def test_times_come_back_from_json() -> None:
    found = Latency(0.001, 0.0015)

    assert Latency.from_json(found.to_json()) == found
