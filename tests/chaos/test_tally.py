"""How losses, repetitions and recovery are counted; the suite is only as good as this."""

from __future__ import annotations

from dataclasses import replace

from .computations import Computation
from .effects import Effect
from .faults import Fault
from .tally import Evidence, count, recovery_seconds

SOUND = Evidence(
    sent=["a", "b"],
    stored={"a", "b"},
    given_up=set(),
    effects=[Effect("a", 1, 10.0), Effect("b", 1, 11.0)],
    computations=[Computation("a", 1, 1, 9.0), Computation("b", 1, 1, 9.5)],
    faults=[],
    crashed=0,
    refused=0,
)


def test_a_run_in_which_nothing_went_wrong_is_sound() -> None:
    counted = count("a scenario", "a side", 1.0, SOUND)

    assert counted.is_sound()
    assert (counted.sent, counted.stored, counted.computed_twice) == (2, 2, 0)


def test_a_job_without_result_or_without_effect_is_lost() -> None:
    no_result = replace(SOUND, stored={"a"})
    no_effect = replace(SOUND, effects=SOUND.effects[:1])

    for evidence in (no_result, no_effect):
        counted = count("a scenario", "a side", 1.0, evidence)

        assert (counted.lost_ids, counted.is_sound()) == (("b",), False)


def test_a_dead_letter_is_not_lost() -> None:
    evidence = replace(SOUND, stored={"a"}, effects=SOUND.effects[:1], given_up={"b"})

    counted = count("a scenario", "a side", 1.0, evidence)

    assert (counted.dead, counted.lost, counted.is_sound()) == (1, 0, True)


def test_two_effects_of_a_job_are_a_storing_too_many() -> None:
    evidence = replace(SOUND, effects=[*SOUND.effects, Effect("b", 2, 12.0)])

    counted = count("a scenario", "a side", 1.0, evidence)

    assert (counted.twice_ids, counted.is_sound()) == (("b",), False)


def test_computing_twice_is_shown_and_allowed() -> None:
    evidence = replace(SOUND, computations=[*SOUND.computations, Computation("b", 2, 2, 10.0)])

    counted = count("a scenario", "a side", 1.0, evidence)

    assert (counted.computed_twice, counted.is_sound()) == (1, True)


def test_a_worker_has_recovered_when_each_job_in_its_hands_is_stored() -> None:
    begun = [
        Computation("stored before", 1, 7, 1.0),
        Computation("in hand", 1, 7, 2.0),
        Computation("another's", 1, 8, 2.0),
        Computation("in hand", 2, 8, 6.0),
    ]
    effects = [
        Effect("stored before", 7, 2.5),
        Effect("another's", 8, 3.5),
        Effect("in hand", 8, 7.0),
        Effect("only just taken", 8, 8.0),
    ]

    killed = Fault("killed", 3.0, 3.0, pid=7)
    trapped = Fault("popped", 3.0, 3.0, pid=9, job_id="only just taken")

    assert recovery_seconds([killed], begun, effects) == [4.0]
    assert recovery_seconds([trapped], begun, effects) == [5.0]


def test_a_server_has_recovered_with_the_next_storing_after_it_is_back() -> None:
    effects = [Effect("a", 1, 1.0), Effect("b", 1, 4.0), Effect("c", 1, 9.0)]

    away = Fault("server away", 2.0, 5.0)

    assert recovery_seconds([away], [], effects) == [4.0]
