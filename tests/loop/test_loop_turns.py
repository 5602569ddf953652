"""The circle, step by step: labels, check, training, gate, note; and what breaks it in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from circle_world import QUICK, World

from jobsentinel import InvalidInput, QueueUnavailable
from jobsentinel.ledger import Ledger, connect
from jobsentinel_workers.store import loops, runs


def started(world: World, labels: int = 60, **trigger: object) -> str:
    """Start a loop whose labels suffice, check it, and return the training's id."""
    world.start(**trigger)
    world.label(range(labels))
    checked = world.check()
    assert (checked.action, checked.due) == ("started", True)
    assert checked.run_id is not None
    return checked.run_id


# A tiny encoder learns what it is given: about 2 s.
def test_labels_make_a_training_due_that_runs_once_and_is_noted(world: World) -> None:
    # Given a loop with too few labels
    world.start()
    world.label(range(20))
    first = world.check()
    assert (first.action, first.due, first.reason) == ("none", False, "20 of 40 new labels")

    # When more come in, and several checks see them
    world.label(range(20, 140))
    checks = [world.check() for _ in range(3)]

    # Then one training is sent
    assert [check.action for check in checks] == ["started", "running", "running"]
    assert len({check.run_id for check in checks}) == 1
    assert world.waiting() == 1

    # When it has run, and the gate has decided
    result = world.train(str(checks[0].run_id))
    noted, after = world.check(), world.check()

    # Then the next check notes that, and the one after has nothing to do
    assert result.promoted
    assert (noted.action, noted.reason) == ("noted", "version 1 passed the gate and serves")
    assert (after.action, after.reason) == ("none", "0 of 40 new labels")
    version = world.registry.get("own")
    loop = world.loop()
    assert loop.last_label_seq == version.lineage["last_label_seq"]
    assert loop.trained_at is not None
    assert loop.baseline["attempt"]["outcome"] == "promoted"
    assert loop.run_id is None

    # And the next training starts from that version, with new labels beside those of before
    world.label(range(140, 190))
    world.check()
    request = world.loop().decision["run"]["request"]
    assert (request["base"], request["dataset"]) == ("champion", "labels:new")


def test_what_the_gate_refuses_is_not_trained_again_on_the_same_labels(world: World) -> None:
    # Given labels that have nothing to do with their texts
    world.start()
    world.label(range(60), lambda n: "home" if (n // 2) % 2 else "site")
    run_id = str(world.check().run_id)

    # When they were learnt, and the gate refused
    assert not world.train(run_id).promoted
    noted, after = world.check(), world.check()

    # Then that is noted with the reason, and no training follows for these labels
    assert noted.action == "noted"
    assert noted.reason.startswith("the gate refused version 1: ")
    assert (after.action, after.reason) == ("none", "0 of 40 new labels")
    assert world.loop().baseline["attempt"]["says"]

    # When enough others come
    world.label(range(60, 100))

    # Then one does, on all of them
    assert world.check().action == "started"
    assert world.loop().decision["run"]["request"]["dataset"] == "labels:all"


def test_a_failed_training_is_repeated_for_new_labels_or_when_the_loop_is_started_again(
    world: World,
) -> None:
    # Given a training that failed
    run_id = started(world)
    with world.database.begin() as connection:
        runs.create(connection, run_id, "fine_tune")
        runs.finish(connection, run_id, "failed", error="the disk is full")

    # When it is noted
    noted, after = world.check(), world.check()

    # Then the same labels are not tried again by themselves
    assert (noted.action, noted.reason) == ("noted", "it failed: the disk is full")
    assert (after.action, after.reason) == ("none", "0 of 40 new labels")
    assert world.loop().last_label_seq == 0

    # When somebody starts the loop again
    world.start()
    again = world.check()

    # Then they are, as another job
    assert again.action == "started"
    assert again.run_id != run_id
    assert world.loop().decision["run"]["request"]["dataset"] == "labels:all"


def test_a_training_that_was_claimed_and_not_sent_is_sent_by_the_next_check(world: World) -> None:
    # Given a check that loses Redis after it has claimed the training
    world.start()
    world.label(range(60))
    nowhere = Ledger(connect("redis://127.0.0.1:1"), world.settings.namespace)
    with pytest.raises(QueueUnavailable):
        replace(world.turns(), ledger=nowhere).check()
    claimed = world.loop().run_id
    assert (claimed is not None, world.waiting()) == (True, 0)

    # When others follow, with Redis
    checks = [world.check() for _ in range(2)]

    # Then the very same job is sent, once
    assert [check.action for check in checks] == ["started", "running"]
    assert {check.run_id for check in checks} == {claimed}
    assert world.waiting() == 1


def test_of_checks_at_the_same_moment_one_starts_the_training(world: World) -> None:
    world.start()
    world.label(range(60))

    with ThreadPoolExecutor(6) as pool:
        actions = list(pool.map(lambda _: world.check().action, range(6)))

    assert actions.count("started") >= 1
    assert set(actions) <= {"started", "running", "waiting"}
    assert world.waiting() == 1


def test_a_training_that_somebody_else_started_counts_too(world: World) -> None:
    # Given a loop, and a training on the same labels by hand
    world.start()
    world.label(range(140))
    handle = world.producer.fine_tune("own", dataset="labels:all", label_kind="remote", **QUICK)
    world.train(handle.job_id)

    # When the loop is checked
    noted, after = world.check(), world.check()

    # Then it has nothing to do for these labels
    assert (noted.action, noted.reason) == ("noted", "version 1 passed the gate and serves")
    assert (after.action, world.waiting()) == ("none", 1)


def test_a_stopped_loop_starts_nothing_but_notes_how_its_training_ended(world: World) -> None:
    run_id = started(world)
    with world.database.begin() as connection:
        loops.stop(connection, "remote")
        runs.create(connection, run_id, "fine_tune")
        runs.finish(connection, run_id, "cancelled")

    assert world.check().reason == "it was cancelled"
    assert world.turns().check().loops == ()


def test_one_loop_that_cannot_be_checked_does_not_keep_the_others(world: World) -> None:
    # Given a loop whose stored limits are none, and a sound one
    world.start("category", "multi-task", min_new_labels=1)
    with world.database.begin() as connection:
        broken = loops.require(connection, "category")
        loops.start(
            connection, broken.kind, broken.model, trigger={"min": 3}, training=broken.training
        )
    world.start()

    first, second = world.turns().check().loops

    assert (first.action, second.action) == ("blocked", "none")
    assert first.reason == "cannot be checked: min: is no limit of the trigger"
    assert world.loop("category").decision["reason"] == first.reason


def test_two_loops_of_one_model_train_it_one_after_the_other(world: World) -> None:
    world.start("category", "multi-task")
    world.start("scam", "multi-task")
    world.label(range(60), lambda n: ("legal", "sales")[n % 2], kind="category")
    world.label(range(60), lambda n: n % 2 == 0, kind="scam")

    first, second = world.turns().check().loops

    assert (first.action, second.action) == ("started", "waiting")
    assert second.reason == "60 new labels; waits for another training of multi-task"
    assert world.waiting() == 1


def test_few_labels_wait_however_low_the_limit_is(world: World) -> None:
    world.start(min_new_labels=1)
    world.label(range(6))

    assert world.check().reason == "6 of the 8 labelled postings that a training needs"


def test_labels_that_have_waited_long_enough_are_learnt(world: World) -> None:
    world.start(max_days=1e-9)
    world.label(range(12))

    assert world.check().reason.startswith("12 new labels have waited 0.0 days")


def test_a_loop_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(InvalidInput, match="kinds: has 'salary', for which there is no loop"):
        world.turns().check(["salary"])
