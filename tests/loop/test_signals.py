"""What a loop sees beside the count of labels: accuracy on the random slice, and drift."""

from __future__ import annotations

from pathlib import Path

from circle_world import World

from jobsentinel_workers.store import changes, loops

RANDOM = {"chosen_by": "random"}


def right(n: int) -> str:
    return "home" if n % 2 else "site"


def wrong(n: int) -> str:
    return "site" if n % 2 else "home"


def register(world: World, tmp_path: Path, learnt: int | None = None) -> int:
    """Put a version into service that learnt the labels up to a change number."""
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    lineage = {} if learnt is None else {"last_label_seq": learnt}
    made = world.registry.register("own", folder, kind="classification", lineage=lineage)
    world.registry.promote("own", made.version)
    return made.version


def now(world: World) -> int:
    with world.database.connect() as connection:
        return changes.current(connection)


def test_an_alarm_is_given_when_answers_on_random_labels_become_worse(
    world: World, tmp_path: Path
) -> None:
    # Given a model in service that had random labels right
    version = register(world, tmp_path)
    world.start(min_new_labels=1_000)
    world.answer(range(200), right, version)
    world.label(range(100), **RANDOM)
    world.label(range(100, 200))  # what a strategy picked does not count
    assert world.check().action == "none"
    kept = world.loop().baseline["accuracy"]
    assert (kept["hits"], kept["labels"]) == (100, 100)

    # When it is right about half of those that follow
    world.answer(range(200, 240), right, version)
    world.answer(range(240, 270), wrong, version)
    world.label(range(200, 270), **RANDOM)
    checked = world.check()

    # Then a training is due, and the numbers are there
    assert (checked.action, checked.due) == ("started", True)
    assert checked.reason == (
        "accuracy on random labels fell from 100% of 100 to 57% of 70; 270 new labels"
    )
    numbers = world.loop().decision["numbers"]["accuracy"]
    assert numbers["evidence"] > numbers["needed"]
    assert numbers["now"]["low"] < 40 / 70 < numbers["now"]["high"]


def test_one_wrong_answer_is_no_alarm(world: World, tmp_path: Path) -> None:
    version = register(world, tmp_path)
    world.start(min_new_labels=1_000)
    world.answer(range(50), right, version)
    world.label(range(50), **RANDOM)
    world.check()

    world.answer([50], wrong, version)
    world.label([50], **RANDOM)

    assert world.check().action == "none"
    assert world.loop().decision["numbers"]["accuracy"]["drop"] == 1.0


def test_a_version_is_not_judged_by_labels_it_has_learnt(world: World, tmp_path: Path) -> None:
    # Given labels that version 1 answered before, and version 2 after it had learnt them
    register(world, tmp_path)
    world.start(min_new_labels=1_000)
    world.answer(range(60), wrong, 1)
    world.label(range(60), **RANDOM)
    register(world, tmp_path, learnt=now(world))
    world.answer(range(60), right, 2)

    # When the loop is checked
    world.check()

    # Then none of them says anything of version 2
    assert world.loop().decision["numbers"]["accuracy"]["now"]["labels"] == 0
    assert "accuracy" not in world.loop().baseline


def test_postings_of_another_kind_are_an_alarm_and_more_of_the_same_are_none(world: World) -> None:
    # Given postings, and a loop that has seen them
    world.embed(range(1_000, 1_080))
    world.start(min_new_labels=1_000)
    world.label(range(20))
    assert world.check().action == "none"
    assert world.loop().decision["numbers"]["drift"] is None

    # When more of the same come, and then others
    world.embed(range(2_000, 2_060))
    same = world.check()
    drift_of_same = world.loop().decision["numbers"]["drift"]
    world.embed(range(3_000, 3_060), shift=2.0)
    others = world.check()

    # Then the others make a training due
    assert (same.action, drift_of_same["recent"]) == ("none", 60)
    assert abs(drift_of_same["effect"]) < 0.01
    assert (others.action, others.due) == ("started", True)
    assert others.reason.startswith("new postings are unlike those before (drift 0.")
    assert others.reason.endswith("20 new labels")


def test_after_another_encoder_came_the_postings_are_a_new_reference(world: World) -> None:
    world.embed(range(1_000, 1_080))
    world.start(min_new_labels=1_000)
    world.label(range(20))
    world.check()
    before = world.loop().baseline["reference"]["encoder_id"]

    with world.database.begin() as connection:
        loop = world.loop()
        reference = {**loop.baseline["reference"], "encoder_id": "gone"}
        loops.note_check(connection, loop, {}, {**loop.baseline, "reference": reference})

    assert world.check().action == "none"
    assert world.loop().baseline["reference"]["encoder_id"] == before
