"""Loops in the store: settings, claims that one of many gets, and what came of trainings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, loops
from jobsentinel_workers.store.loops import Loop

CLAIMER = Path(__file__).with_name("claiming_process.py")


def start(database: Database, kind: str = "remote", model: str = "own", **trigger: int) -> Loop:
    with database.begin() as connection:
        return loops.start(connection, kind, model, trigger=trigger, training={"task": "fine_tune"})


def claim(database: Database, seen: Loop, run_id: str = "run-1") -> bool:
    with database.begin() as connection:
        return loops.note_run(connection, seen, run_id, {"due": True})


def get(database: Database, kind: str = "remote") -> Loop:
    with database.connect() as connection:
        return loops.require(connection, kind)


def test_a_loop_from_its_start_to_a_training_that_ended(database: Database) -> None:
    # Given a loop that was checked once
    fresh = start(database, min_new_labels=5)
    with database.begin() as connection:
        assert loops.note_check(connection, fresh, {"due": False}, {"accuracy": {"hits": 3}})
    checked = get(database)
    assert checked.checked_at is not None
    assert (checked.decision, checked.trigger) == ({"due": False}, {"min_new_labels": 5})

    # When a training is claimed and ends
    assert claim(database, checked)
    running = get(database)
    with database.begin() as connection:
        ended = loops.note_trained(
            connection, running, baseline={"a": 1}, last_label_seq=7, trained_at="2026-11-23"
        )

    # Then it is free for the next one, and knows what it learnt
    loop = get(database)
    assert ended
    assert (running.run_id, loop.run_id) == ("run-1", None)
    assert (loop.last_label_seq, loop.trained_at, loop.baseline) == (7, "2026-11-23", {"a": 1})


def test_a_training_is_closed_once_and_what_was_seen_before_changes_nothing(
    database: Database,
) -> None:
    fresh = start(database)
    claim(database, fresh)
    running = get(database)

    with database.begin() as connection:
        answers = [
            loops.note_trained(connection, running, baseline={}, last_label_seq=7),
            loops.note_trained(connection, running, baseline={}, last_label_seq=9),
            loops.note_check(connection, running, {"due": True}),
        ]
        again = loops.note_run(connection, fresh, "run-2", {})

    assert (answers, again) == ([True, False, False], False)
    assert get(database).last_label_seq == 7


def test_a_model_has_one_training_whichever_loop_started_it(database: Database) -> None:
    category, salary = start(database, "category", "both"), start(database, "salary", "both")
    other = start(database, "scam", "another")

    answers = [claim(database, loop, f"run-{loop.kind}") for loop in (category, salary, other)]

    assert answers == [True, False, True]


def test_a_stopped_loop_gets_no_training_and_one_started_again_keeps_what_it_learnt(
    database: Database,
) -> None:
    # Given a loop that learnt, then failed, and was stopped
    claim(database, start(database))
    with database.begin() as connection:
        loops.note_trained(
            connection,
            loops.require(connection, "remote"),
            baseline={"attempt": {"outcome": "failed"}, "attempts": 1},
            last_label_seq=7,
        )
        stopped = [loops.stop(connection, "remote") for _ in range(2)]
    assert stopped == [True, False]
    assert not claim(database, get(database))

    # When it is started again, with another limit
    again = start(database, min_new_labels=9)

    # Then it goes on from there, and the failure is forgiven
    assert (again.active, again.last_label_seq) == (True, 7)
    assert (again.trigger, again.baseline) == ({"min_new_labels": 9}, {"attempts": 1})
    assert start(database, model="other").last_label_seq == 0


def test_loops_are_found_by_kind(database: Database) -> None:
    for kind in ("scam", "category"):
        start(database, kind, f"{kind}-model")
    with database.begin() as connection:
        loops.stop(connection, "scam")
        found = [loop.kind for loop in loops.find(connection)]
        active = [loop.kind for loop in loops.find(connection, active=True)]
        stopped = [loop.kind for loop in loops.find(connection, active=False)]

    assert (found, active, stopped) == (["category", "scam"], ["category"], ["scam"])
    with database.connect() as connection:
        assert loops.get(connection, "salary") is None


def test_what_cannot_be_stored_is_named(database: Database) -> None:
    with pytest.raises(InvalidInput, match=r"trigger\.x"), database.begin() as connection:
        loops.start(connection, "remote", "own", trigger={"x": float("nan")}, training={})


def test_of_processes_that_check_at_once_one_gets_the_training(address: str) -> None:
    # Given a loop that three processes have seen due
    database = Database.open(address)
    start(database)
    processes = [
        subprocess.Popen(
            [sys.executable, str(CLAIMER), address, f"run-{name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "seen\n"

        # When all claim at once
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()

    # Then one gets it, and its name is there
    assert sorted(answers) == ["False", "False", "True"]
    assert get(database).run_id == f"run-{'abc'[answers.index('True')]}"
    database.close()
