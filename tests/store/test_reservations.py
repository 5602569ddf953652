"""Handing postings out to people who label, so that no two get the same one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from reserving_process import row
from store_process import posting

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, labels, postings, reservations

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def stored(database: Database) -> None:
    """Four postings, a to d."""
    with database.begin() as connection:
        postings.upsert(connection, [posting(id_) for id_ in "abcd"])


def reserve(
    database: Database, ids: str, annotator: str = "ann", at: datetime = NOW, **more: Any
) -> str:
    """Reserve postings for an hour and return the ids granted, as one text."""
    rows = [row(id_, position=place, **more) for place, id_ in enumerate(ids)]
    with database.begin() as connection:
        granted = reservations.reserve(
            connection, rows, annotator=annotator, until=at + HOUR, now=at
        )
    return "".join(granted)


def reserve_until(database: Database, until: datetime) -> None:
    with database.begin() as connection:
        reservations.reserve(connection, [row("a")], annotator="ann", until=until, now=NOW)


def held(database: Database, at: datetime = NOW, **whose: Any) -> str:
    with database.connect() as connection:
        found = reservations.find(connection, now=at, **whose)
    return "".join(each.posting_id for each in found)


def add_label(database: Database, **told: Any) -> labels.Label:
    """Store a label of posting a and return it as it is stored."""
    made = {"posting_id": "a", "kind": "category", "value": "legal", "annotator": "ann"} | told
    with database.begin() as connection:
        labels.add(connection, [made])
        (found,) = [
            each
            for each in labels.find(connection, posting_id=made["posting_id"])
            if each.annotator == made["annotator"]
        ]
    return found


def test_what_one_holds_another_does_not_get(database: Database) -> None:
    assert reserve(database, "ba") == "ba"

    assert reserve(database, "abc", "bob") == "c"

    assert held(database, annotator="ann") == "ba"
    assert held(database, annotator="bob", kind="category") == "c"
    with database.connect() as connection:
        assert reservations.held_by_others(connection, "category", "bob", now=NOW) == {"a", "b"}


def test_a_reservation_comes_back_as_it_was(database: Database) -> None:
    reserve(database, "a", batch_id="first", model_version=None)

    with database.connect() as connection:
        (found,) = reservations.find(connection, now=NOW)

    assert found == reservations.Reservation(
        posting_id="a",
        kind="category",
        annotator="ann",
        reserved_until="2026-11-23T13:00:00.000000Z",
        batch_id="first",
        position=0,
        strategy="hybrid",
        chosen_by="margin",
        model_version=None,
        score=0.25,
        reason="margin 0.75 between legal and sales",
    )


def test_what_ran_out_is_free_for_whoever_asks_first(database: Database) -> None:
    reserve(database, "a")
    later = NOW + HOUR

    assert held(database, later) == ""
    assert reserve(database, "a", "bob", at=later) == "a"
    assert reserve(database, "a", "ann", at=later) == ""


def test_asking_again_renews_ones_own(database: Database) -> None:
    reserve(database, "ab")
    later = NOW + HOUR / 2

    assert reserve(database, "ba", at=later) == "ba"

    assert held(database, NOW + HOUR) == "ba"


def test_kinds_are_reserved_apart(database: Database) -> None:
    reserve(database, "a")

    assert reserve(database, "a", "bob", kind="scam") == "a"

    assert held(database, annotator="bob", kind="category") == ""


def test_batches_come_in_the_order_in_which_they_were_handed_out(database: Database) -> None:
    reserve(database, "db", batch_id="z")
    reserve(database, "ca", batch_id="a", at=NOW + timedelta(minutes=1))

    assert held(database, NOW + timedelta(minutes=2)) == "dbca"


def test_what_is_given_back_is_free(database: Database) -> None:
    reserve(database, "abc")
    reserve(database, "d", "bob")

    with database.begin() as connection:
        assert reservations.release(connection, annotator="ann", posting_ids=["a", "d"]) == 1
        assert reservations.release(connection, annotator="ann", kind="scam") == 0
    assert reserve(database, "abcd", "eve") == "a"

    with database.begin() as connection:
        assert reservations.release(connection, annotator="ann", kind="category") == 2
    assert set(held(database)) == {"a", "d"}


def test_what_is_labelled_or_not_stored_is_not_handed_out(database: Database) -> None:
    add_label(database, annotator="somebody")
    add_label(database, posting_id="b", kind="scam", value=True)

    assert reserve(database, "abx") == "b"


def test_what_was_labelled_or_removed_since_is_not_to_be_labelled(database: Database) -> None:
    reserve(database, "abc")
    add_label(database, annotator="somebody else")
    with database.begin() as connection:
        postings.delete(connection, ["b"])

    assert held(database) == "c"


def test_a_label_ends_the_reservation_and_takes_what_it_does_not_tell(database: Database) -> None:
    reserve(database, "ab")

    found = add_label(database, seconds_spent=2)

    assert held(database) == "b"
    origin = found.strategy, found.chosen_by, found.model_version, found.seconds_spent
    assert origin == ("hybrid", "margin", "multi-task@3", 2.0)


def test_a_label_that_comes_after_the_reservation_ran_out_still_takes_from_it(
    database: Database,
) -> None:
    reserve(database, "a", at=datetime(2020, 1, 1, tzinfo=UTC))

    assert add_label(database).strategy == "hybrid"


def test_a_label_that_tells_its_strategy_keeps_to_it(database: Database) -> None:
    reserve(database, "a")

    found = add_label(database, strategy="prodigy")

    assert (found.strategy, found.chosen_by, found.model_version) == ("prodigy", None, None)


def test_a_label_that_tells_its_model_only_takes_the_rest(database: Database) -> None:
    reserve(database, "a")

    found = add_label(database, model_version="multi-task@4")

    assert (found.strategy, found.chosen_by) == ("hybrid", "margin")
    assert found.model_version == "multi-task@4"


@pytest.mark.parametrize(
    "other", [{"annotator": "bob"}, {"kind": "scam", "value": True}, {"posting_id": "b"}]
)
def test_a_label_of_something_else_leaves_the_reservation(
    database: Database, other: dict[str, Any]
) -> None:
    reserve(database, "a")

    found = add_label(database, **other)

    assert found.strategy is None
    with database.connect() as connection:
        assert reservations.held_by_others(connection, "category", "x", now=NOW) == {"a"}


def test_feedback_on_a_search_answers_no_reservation(database: Database) -> None:
    reserve(database, "a", kind="relevance")

    found = add_label(database, kind="relevance", value=1.0, query="lawyer")

    assert found.strategy is None
    assert held(database) == "a"


def test_one_that_ran_out_long_ago_is_forgotten(database: Database) -> None:
    reserve(database, "a", at=NOW - timedelta(days=reservations.KEPT_DAYS + 1))
    reserve(database, "b")

    assert add_label(database).strategy is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"posting_id": ""}, "rows.0.posting_id"),
        ({"kind": None}, "rows.0.kind"),
        ({"position": -1}, "rows.0.position"),
        ({"position": True}, "rows.0.position"),
        ({"score": float("nan")}, "rows.0.score"),
        ({"score": "0.5"}, "rows.0.score"),
        ({"reason": "a\x00"}, "rows.0.reason"),
        ({"model_version": 3}, "rows.0.model_version"),
        ({"annotator": "eve"}, "rows.0.annotator"),
    ],
)
def test_a_row_that_cannot_be_stored_is_refused(
    database: Database, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused, database.begin() as connection:
        reservations.reserve(
            connection, [row("a") | wrong], annotator="ann", until=NOW + HOUR, now=NOW
        )
    assert refused.value.field == field


def test_nobody_reserves_for_the_past_twice_or_for_no_one(database: Database) -> None:
    with pytest.raises(InvalidInput, match="until: must be later than now"):
        reserve_until(database, NOW)
    with pytest.raises(InvalidInput, match=r"rows\.1\.posting_id: 'a' is there twice"):
        reserve(database, "aa")
    with pytest.raises(InvalidInput, match="annotator: is empty"):
        reserve(database, "a", annotator="")
    assert held(database) == ""


def test_threads_that_ask_at_once_never_get_the_same_posting(database: Database) -> None:
    # Given 12 postings and three people who all want all of them, in the same order
    ids = [f"p-{number}" for number in range(12)]
    with database.begin() as connection:
        postings.upsert(connection, [posting(id_) for id_ in ids])
    granted: list[str] = []
    ready = threading.Barrier(3)

    def ask(annotator: str) -> None:
        ready.wait()
        for id_ in ids:
            with database.begin() as connection:
                granted.extend(
                    reservations.reserve(
                        connection, [row(id_)], annotator=annotator, until=NOW + HOUR, now=NOW
                    )
                )

    threads = [threading.Thread(target=ask, args=(f"thread-{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(granted) == sorted(ids)


def test_processes_that_ask_at_once_never_get_the_same_posting(address: str) -> None:
    # Given two processes that ask for the same 30 postings at the same time
    database = Database.open(address)
    with database.begin() as connection:
        postings.upsert(connection, [posting(f"p-{number}") for number in range(30)])
    script = Path(__file__).with_name("reserving_process.py")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), address, annotator, "30"],
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

    # Then each posting went to one of them, as the store says
    assert set(Counter(printed[0] + printed[1]).values()) == {1}
    assert len(printed[0] + printed[1]) == 30
    with database.connect() as connection:
        found = reservations.find(connection, annotator="ann")
    assert {each.posting_id for each in found} == set(printed[0])
    database.close()
