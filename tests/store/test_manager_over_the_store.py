"""The labelling loop over the store: shared by people and processes, and there after a restart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_postings import keep, keep_scored, keep_scores, score

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.settings import Settings
from jobsentinel_workers.active_learning import (
    ActiveLearningManager,
    QueryResult,
    RetrainingTrigger,
    Sample,
)
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.labelling.stored_pool import stored_pool
from jobsentinel_workers.store import Database, changes, labels, loops, postings, reservations
from jobsentinel_workers.store.schema import audit

START = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manage(database: Database, clock: Clock) -> Callable[..., ActiveLearningManager]:
    """Makes managers of categories: ann, asking for two by margin, unless told otherwise."""

    def make(annotator: str = "ann", **options: Any) -> ActiveLearningManager:
        options = {"strategy": "margin", "batch_size": 2, "kind": "category"} | options
        return ActiveLearningManager(store=database, annotator=annotator, now=clock, **options)

    return make


Manage = Callable[..., ActiveLearningManager]


def ids(result: QueryResult) -> str:
    return "".join(sample.id for sample in result.selected_samples)


def pool_of(database: Database, kind: str = "category") -> list[Sample]:
    return stored_pool(database, kind).samples


def stored_labels(database: Database) -> list[labels.Label]:
    with database.connect() as connection:
        return labels.find(connection)


def test_two_people_never_get_the_same(database: Database, manage: Manage) -> None:
    # Given six postings of which the later ones are the less certain
    keep_scored(database, *"abcdef")
    pool = pool_of(database)

    first = manage("ann").select_samples(pool)
    second = manage("bob").select_samples(pool)

    assert (ids(first), ids(second)) == ("fe", "dc")
    assert sorted(second.reserved_by_others) == ["e", "f"]
    assert second.num_candidates == 4
    assert first.reserved_until == START + timedelta(hours=1)
    assert first.batch_id != second.batch_id
    assert not first.reserved_by_others


def test_asking_again_gives_the_same_and_renews_it(
    database: Database, manage: Manage, clock: Clock
) -> None:
    keep_scored(database, *"abcd")
    assert ids(manage().select_samples(pool_of(database))) == "dc"
    clock.time += timedelta(minutes=40)

    again = manage().select_samples(pool_of(database))

    assert ids(again) == "dc"
    clock.time += timedelta(minutes=40)
    assert ids(manage("bob").select_samples(pool_of(database))) == "ba"


def test_what_ran_out_goes_to_whoever_asks(
    database: Database, manage: Manage, clock: Clock
) -> None:
    keep_scored(database, *"abcd")
    manage(reserve_for_s=60).select_samples(pool_of(database))
    clock.time += timedelta(seconds=60)

    assert ids(manage("bob").select_samples(pool_of(database))) == "dc"


class Overtaken(ActiveLearningManager):
    """Others ask while this one chooses, as often as there are others."""

    def __init__(self, *given: Any, others: Sequence[Callable[[], object]], **options: Any) -> None:
        super().__init__(*given, **options)
        self.others = list(others)

    def _choose(self, *given: Any) -> Any:
        selection = super()._choose(*given)
        if self.others:
            self.others.pop(0)()
        return selection


@pytest.mark.parametrize("strategy", ["margin", "hybrid", "random", "gsx"])
def test_whoever_is_overtaken_gets_the_next_best_in_full_number(
    database: Database, manage: Manage, strategy: str
) -> None:
    # Given two people who ask, one after the other, while a third one's samples are being chosen
    keep_scored(database, *"abcdefghij")
    pool = pool_of(database)
    options: dict[str, Any] = {"strategy": strategy, "random_share": 0.0}
    others: list[QueryResult] = []
    ask = [
        lambda: others.append(manage("bob", **options).select_samples(pool)),
        lambda: others.append(manage("eve", **options).select_samples(pool)),
    ]
    slow = Overtaken(
        others=ask,
        store=database,
        kind="category",
        annotator="ann",
        batch_size=3,
        now=manage("ann")._now,
        **options,
    )

    result = slow.select_samples(pool)

    assert len(result) == 3
    everybody = [ids(each) for each in (*others, result)]
    assert len(set("".join(everybody))) == 2 + 2 + 3
    assert set(result.reserved_by_others) == set("".join(everybody[:2]))
    assert set(result.scores) == set("abcdefghij") - set(result.reserved_by_others)
    with database.connect() as connection:
        held = reservations.find(connection, annotator="ann", now=START)
    assert "".join(each.posting_id for each in held) == everybody[2]


def test_a_label_or_a_removal_meanwhile_is_made_up_for(database: Database, manage: Manage) -> None:
    keep_scored(database, *"abcde")
    pool = pool_of(database)

    def label_and_remove() -> None:
        manage("bob").add_labels([pool[0]], ["legal"])
        with database.begin() as connection:
            postings.delete(connection, [pool[1].id])

    slow = Overtaken(
        "margin", others=[label_and_remove], store=database, kind="category", annotator="ann"
    )

    assert ids(slow.select_samples(pool, 2)) == "cb"


def test_labels_are_written_with_all_that_is_known(database: Database, manage: Manage) -> None:
    keep_scored(database, *"abc")
    manager = manage()
    chosen = manager.select_samples(pool_of(database)).selected_samples

    assert manager.add_labels(chosen, ["legal", "healthcare"], seconds_spent=[2.5, None]) == 2

    first, second = sorted(
        stored_labels(database), key=lambda label: label.posting_id, reverse=True
    )
    assert (first.posting_id, first.value, first.annotator) == ("c", "legal", "ann")
    origin = first.strategy, first.chosen_by, first.model_version
    assert origin == ("margin", "margin", "multi-task@3")
    assert (first.source, first.seconds_spent) == ("active-learning", 2.5)
    assert first.created_at == "2030-01-01T00:00:00.000000Z"
    assert second.seconds_spent is None
    with database.connect() as connection:
        assert reservations.find(connection, now=START) == []


def test_the_random_part_of_a_batch_is_known_by_its_labels(
    database: Database, manage: Manage
) -> None:
    keep_scored(database, *"abcdefghijkl")
    manager = manage(batch_size=10)
    result = manager.select_samples(pool_of(database))
    drawn = [pick.chosen_by == "random" for pick in result.selection.picks]
    assert drawn.count(True) == 1

    manager.add_labels(result.selected_samples, ["legal"] * 10)

    by_id = {label.posting_id: label for label in stored_labels(database)}
    stored = [by_id[sample.id] for sample in result.selected_samples]
    assert [label.chosen_by == "random" for label in stored] == drawn
    assert {label.strategy for label in stored} == {"margin"}


def test_what_anybody_labelled_is_no_candidate_and_counts_for_everybody(
    database: Database, manage: Manage
) -> None:
    keep_scored(database, *"abcd")
    pool = pool_of(database)
    manage("ann").add_labels(pool[:2], ["legal", "healthcare"])

    bob = manage("bob")
    result = bob.select_samples(pool)

    assert result.already_labelled == ["d", "c"]
    assert ids(result) == "ba"
    assert bob.labels() == {"d": "legal", "c": "healthcare"}
    assert bob.get_statistics() == {
        "strategy": "margin",
        "batch_size": 2,
        "queries": 1,
        "total_labels": 2,
        "new_labels": 2,
        "label_counts": {"legal": 1, "healthcare": 1},
        "waiting_since": "2030-01-01T00:00:00+00:00",
        "trained_at": None,
        "kind": "category",
        "annotator": "bob",
        "reserved": 2,
        "reserved_by_others": 0,
    }


def test_of_two_peoples_labels_of_one_posting_the_newest_counts_once(
    database: Database, manage: Manage
) -> None:
    keep_scored(database, "a")
    (sample,) = pool_of(database)
    manage("ann").add_labels([sample], ["legal"])

    assert manage("bob").add_labels([sample], ["healthcare"]) == 1
    assert manage("bob").add_labels([sample], ["healthcare"]) == 0

    assert manage().labels() == {"a": "healthcare"}
    statistics = manage().get_statistics()
    assert (statistics["total_labels"], statistics["label_counts"]) == (1, {"healthcare": 1})


def test_near_duplicates_of_what_others_labelled_come_last(
    database: Database, manage: Manage
) -> None:
    # Given a posting in the same words as one that is labelled, and as uncertain
    keep_scored(database, *"abc")
    keep(database, "d")
    with database.begin() as connection:
        row = {"id": "d", "title": "", "description": "", "text": "Text of c"}
        postings.upsert(connection, [row | {"content_hash": "hash-of-c"}])
    keep_scores(database, score("d", 0.5))
    samples = {sample.id: sample for sample in pool_of(database)}
    manage("bob").add_labels([samples["c"]], ["legal"])

    result = manage(batch_size=3).select_samples(pool_of(database))

    assert ids(result) == "bad"


def test_state_survives_restarts_and_a_training_counts_for_all(
    database: Database, manage: Manage, clock: Clock
) -> None:
    keep_scored(database, *"abcd")
    pool = pool_of(database)
    trigger = RetrainingTrigger(min_new_labels=3, max_days=7)
    assert not manage().should_retrain(trigger)
    manage("ann").add_labels(pool[:2], ["legal", "healthcare"])
    assert manage("eve").retraining_decision(trigger).reason == "2 of 3 new labels"

    clock.time += timedelta(days=8)
    assert manage("eve").should_retrain(trigger)
    manage("bob").mark_retrained()

    assert not manage("ann").should_retrain(trigger)
    statistics = manage("ann").get_statistics()
    assert (statistics["new_labels"], statistics["total_labels"]) == (0, 2)
    assert statistics["trained_at"] == "2030-01-09T00:00:00.000000Z"
    manage("ann").add_labels(pool[2:], ["legal", "healthcare"])
    assert manage("bob").get_statistics()["new_labels"] == 2


def test_what_was_labelled_while_a_training_ran_stays_new(
    database: Database, manage: Manage
) -> None:
    keep_scored(database, *"ab")
    pool = pool_of(database)
    manage().add_labels(pool[:1], ["legal"])
    with database.connect() as connection:
        snapshot = changes.current(connection)
    manage().add_labels(pool[1:], ["healthcare"])

    manage().mark_retrained(last_label_seq=snapshot)

    assert manage().get_statistics()["new_labels"] == 1
    with pytest.raises(InvalidInput, match="last_label_seq: must be a number of the store"):
        manage().mark_retrained(last_label_seq=10_000)
    with pytest.raises(InvalidInput, match="this manager has no store"):
        ActiveLearningManager().mark_retrained(last_label_seq=1)


def test_a_loop_that_was_started_keeps_its_settings(database: Database, manage: Manage) -> None:
    with database.begin() as connection:
        loops.start(connection, "category", "mine", trigger={"min_new_labels": 9}, training={})

    manage().mark_retrained()

    with database.connect() as connection:
        loop = loops.require(connection, "category")
    assert (loop.model, loop.trigger, loop.active) == ("mine", {"min_new_labels": 9}, True)
    assert loop.trained_at == "2030-01-01T00:00:00.000000Z"


def test_values_come_from_the_store_and_no_model_is_asked(
    database: Database, manage: Manage
) -> None:
    keep_scored(database, *"abcd")
    manager = manage(kind="salary", strategy="igs")
    pool = pool_of(database, "salary")
    manager.add_labels(pool[:2], [60_000, 80_000])

    result = manager.select_samples(pool)

    assert set(ids(result)) == {"a", "b"}
    assert manager.task == "salary_prediction"
    assert {label.model_version for label in stored_labels(database)} == {None}


def test_fewer_than_asked_none_at_all_and_all_labelled_are_no_errors(
    database: Database, manage: Manage
) -> None:
    manager = manage()
    assert len(manager.select_samples([])) == 0
    keep_scored(database, *"abc")
    pool = pool_of(database)

    assert len(manager.select_samples(pool, 10)) == 3
    nothing = manage("bob").select_samples(pool, 10)
    assert (len(nothing), nothing.batch_id, nothing.reserved_until) == (0, None, None)
    assert sorted(nothing.reserved_by_others) == ["a", "b", "c"]

    manager.add_labels(pool, ["legal"] * 3)
    assert len(manager.select_samples(pool)) == 0


def test_a_posting_that_is_not_stored_is_named_and_nothing_is_written(
    database: Database, manage: Manage
) -> None:
    keep_scored(database, "a")
    pool = [*pool_of(database), Sample("ghost", "Boo", (0.5, 0.5), (0.0,) * 8)]

    with pytest.raises(InvalidInput, match=r"pool\.1\.id: 'ghost' is no stored posting"):
        manage().select_samples(pool)
    with pytest.raises(InvalidInput, match=r"samples\.1\.id: 'ghost' is no stored posting"):
        manage().add_labels(pool, ["legal", "healthcare"])
    assert stored_labels(database) == []


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"embedding": (1.0, 0.0)}, "pool.1.embedding"),
        ({"embedding": np.full(8, np.nan)}, "embeddings.1"),
        ({"metadata": {"encoder_id": "another"}}, "pool.1.embedding"),
        ({"probabilities": (0.9, 0.9)}, "probabilities.1"),
        ({"probabilities": {"legal": float("nan"), "healthcare": 0.5}}, "probabilities.1"),
    ],
)
def test_samples_that_do_not_compare_are_named_and_nothing_is_reserved(
    database: Database, manage: Manage, second: dict[str, Any], field: str
) -> None:
    keep_scored(database, "a", "b")
    first, other = pool_of(database)[::-1]
    parts = {"id": "b", "text": "x", "probabilities": other.probabilities}
    parts |= {"embedding": other.embedding, "metadata": other.metadata}

    with pytest.raises(InvalidInput) as refused:
        manage().select_samples([first, Sample(**(parts | second))])

    assert refused.value.field.startswith(field)
    with database.connect() as connection:
        assert reservations.find(connection, now=START) == []


@pytest.mark.parametrize(
    ("label", "spent", "field"),
    [
        ("no category", None, "labels.1.value"),
        (True, None, "labels.1.value"),
        (float("nan"), None, "labels.1"),
        ("legal", -1.0, "labels.1.seconds_spent"),
        ("legal", float("inf"), "labels.1.seconds_spent"),
    ],
)
def test_a_bad_label_keeps_none_of_them(
    database: Database, manage: Manage, label: Any, spent: float | None, field: str
) -> None:
    keep_scored(database, "a", "b")
    pool = pool_of(database)

    with pytest.raises(InvalidInput) as refused:
        manage().add_labels(pool, ["legal", label], seconds_spent=[None, spent])

    assert refused.value.field == field
    with pytest.raises(InvalidInput, match="seconds_spent: must be 2, one a label, not 1"):
        manage().add_labels(pool, ["legal", "healthcare"], seconds_spent=[1.0])
    assert stored_labels(database) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": None}, "kind"),
        ({"kind": "relevance"}, "kind"),
        ({"annotator": None}, "annotator"),
        ({"annotator": ""}, "annotator"),
        ({"reserve_for_s": 0}, "reserve_for_s"),
        ({"reserve_for_s": float("nan")}, "reserve_for_s"),
        ({"reserve_for_s": 1e9}, "reserve_for_s"),
        ({"reserve_for_s": "long"}, "reserve_for_s"),
    ],
)
def test_a_manager_that_makes_no_sense_is_refused(
    manage: Manage, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        manage(**wrong)
    assert refused.value.field == field


def test_changes_of_labels_are_entered_in_the_audit_log(
    database: Database, manage: Manage, tmp_path: Path
) -> None:
    keep_scored(database, "a")
    manager = manage(audit=AuditLog(Settings.load(data_dir=tmp_path)))

    for _ in range(2):
        manager.add_labels(pool_of(database) or [Sample("a", "x")], ["legal"])

    with database.connect() as connection:
        (entry,) = connection.execute(audit.select()).all()
    assert (entry.event, entry.subject) == ("labels_changed", "active-learning")
    assert '"ann":1' in entry.details


def test_processes_share_what_is_handed_out_and_labelled(address: str) -> None:
    # Given two processes that label twelve postings in batches of three at the same time
    database = Database.open(address)
    names = [f"p-{number:02}" for number in range(12)]
    keep_scored(database, *names)
    script = Path(__file__).with_name("scored_postings.py")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), address, annotator, "2"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for annotator in ("ann", "bob")
    ]
    try:
        printed = [process.communicate(timeout=60)[0].split() for process in processes]
    finally:
        for process in processes:
            process.kill()

    # Then each got six that nobody else got, and a third one sees all of their labels
    assert [len(each) for each in printed] == [6, 6]
    assert sorted(printed[0] + printed[1]) == names
    manager = ActiveLearningManager(store=database, kind="category", annotator="eve")
    assert manager.get_statistics()["label_counts"] == {"legal": 8, "healthcare": 4}
    found = {label.posting_id for label in stored_labels(database) if label.annotator == "ann"}
    assert found == set(printed[0])
    database.close()
