"""Labels, their history, and training texts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_process import posting

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, labels, postings

_POSTINGS = itertools.count()


def label(value: Any, day: int = 1, **more: Any) -> dict[str, Any]:
    """A label made on a day of November."""
    made = {"created_at": f"2026-11-{day:02}T00:00:00Z"}
    return (
        {"posting_id": "p", "kind": "category", "annotator": "ann"}
        | made
        | {
            "value": value,
            **more,
        }
    )


def add(database: Database, *rows: dict[str, Any]) -> int:
    with database.begin() as connection:
        return labels.add(connection, rows, job_id="job")


def in_force(database: Database, **filters: Any) -> list[Any]:
    with database.connect() as connection:
        return [each.value for each in labels.find(connection, **filters)]


def history(database: Database, posting_id: str = "p") -> list[Any]:
    with database.connect() as connection:
        return [each.value for each in labels.history(connection, posting_id, "category")]


@pytest.mark.parametrize("value", ["legal", 52_000.0, 52_000, True, 0.5, None, {"a": [1]}])
def test_a_label_comes_back_as_it_was(database: Database, value: Any) -> None:
    assert add(database, label(value, source="review")) == 1

    with database.connect() as connection:
        (found,) = labels.find(connection)
    assert repr(found.value) == repr(value)
    assert (found.posting_id, found.kind, found.annotator) == ("p", "category", "ann")
    assert (found.source, found.job_id) == ("review", "job")
    assert found.created_at == "2026-11-01T00:00:00.000000Z"


ORIGIN = {
    "seconds_spent": 2.5,
    "strategy": "hybrid",
    "chosen_by": "margin",
    "model_version": "multi-task@3",
}


def origin(found: labels.Label) -> dict[str, Any]:
    """How a label came about, as far as it is known."""
    return {name: getattr(found, name) for name in ORIGIN if getattr(found, name) is not None}


def one_in_force(database: Database) -> labels.Label:
    with database.connect() as connection:
        (found,) = labels.find(connection)
    return found


def one_past(database: Database) -> labels.Label:
    with database.connect() as connection:
        (found,) = labels.history(connection, "p", "category")
    return found


def test_how_a_label_came_about_comes_back(database: Database) -> None:
    add(database, label("legal", **ORIGIN | {"seconds_spent": 3}))

    assert origin(one_in_force(database)) == ORIGIN | {"seconds_spent": 3.0}


def test_the_history_keeps_how_a_label_came_about(database: Database) -> None:
    add(database, label("legal", **ORIGIN))
    told = {"strategy": "random", "chosen_by": "random", "seconds_spent": 1.0}

    add(database, label("healthcare", day=2, **told))

    assert origin(one_past(database)) == ORIGIN
    assert origin(one_in_force(database)) == told


def test_a_late_label_goes_to_the_history_with_how_it_came_about(database: Database) -> None:
    add(database, label("healthcare", day=2))

    add(database, label("legal", day=1, **ORIGIN))

    assert origin(one_past(database)) == ORIGIN
    assert origin(one_in_force(database)) == {}


def test_a_correction_keeps_what_had_chosen_the_posting(database: Database) -> None:
    # Given a label that somebody corrects with a tool that knows nothing of strategies
    add(database, label("legal", **ORIGIN))

    add(database, label("healthcare", day=2, seconds_spent=9))

    assert origin(one_in_force(database)) == ORIGIN | {"seconds_spent": 9.0}


def test_a_confirmation_keeps_what_it_does_not_tell(database: Database) -> None:
    add(database, label("legal", **ORIGIN))

    assert add(database, label("legal", day=2)) == 0

    found = one_in_force(database)
    assert (found.created_at, origin(found)) == ("2026-11-02T00:00:00.000000Z", ORIGIN)


def test_what_chose_a_posting_for_one_says_nothing_of_anothers_label(database: Database) -> None:
    add(database, label("legal", **ORIGIN))
    add(database, label("legal", annotator="bob"))

    with database.connect() as connection:
        found = {each.annotator: origin(each) for each in labels.find(connection)}
    assert found == {"ann": ORIGIN, "bob": {}}


def test_a_repeat_changes_nothing(database: Database) -> None:
    rows = [label("legal"), label("legal", annotator="bob"), label(True, kind="scam")]
    assert add(database, *rows) == 3
    with database.connect() as connection:
        before = labels.find(connection)

    assert add(database, *rows) == 0

    with database.connect() as connection:
        assert labels.find(connection) == before
    assert history(database) == []


def test_a_newer_label_replaces_the_older_which_goes_to_the_history(database: Database) -> None:
    add(database, label("legal", day=1))

    assert add(database, label("healthcare", day=2)) == 1

    assert in_force(database) == ["healthcare"]
    assert history(database) == ["legal"]


def test_an_older_label_delivered_late_goes_straight_to_the_history(database: Database) -> None:
    add(database, label("healthcare", day=2))

    assert add(database, label("legal", day=1)) == 0
    assert add(database, label("legal", day=1)) == 0

    assert in_force(database) == ["healthcare"]
    assert history(database) == ["legal"]


def test_a_confirmed_label_withstands_one_made_in_between(database: Database) -> None:
    add(database, label("legal", day=1))
    assert add(database, label("legal", day=3)) == 0

    assert add(database, label("healthcare", day=2)) == 0

    assert in_force(database) == ["legal"]


def test_of_two_labels_in_one_message_the_later_counts(database: Database) -> None:
    rows = [label("legal"), label("healthcare")]
    add(database, *rows)

    assert in_force(database) == ["healthcare"]
    assert history(database) == ["legal"]

    # And the message delivered again does not bring the first one back
    assert add(database, *rows) == 0
    assert in_force(database) == ["healthcare"]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    made=st.lists(st.tuples(st.integers(1, 28), st.integers(0, 3)), unique_by=lambda each: each[0]),
    data=st.data(),
)
def test_whatever_the_order_of_delivery_the_newest_label_counts(
    database: Database, made: list[tuple[int, int]], data: st.DataObject
) -> None:
    # Given labels made on different days, delivered in any order, some twice, in messages of two
    id_ = f"p-{next(_POSTINGS)}"
    delivered = data.draw(st.permutations(made + made[:3]))
    for start in range(0, len(delivered), 2):
        message = delivered[start : start + 2]
        add(database, *(label(value, day=day, posting_id=id_) for day, value in message))

    # Then the last one made is in force, and all other values are in the history at most once a day
    assert in_force(database, posting_id=id_) == [value for _, value in sorted(made)[-1:]]
    assert len(history(database, id_)) <= max(0, len(made) - 1)


def test_labels_are_listed_and_counted_by_kind(database: Database) -> None:
    add(database, label("legal"), label("legal", posting_id="q"), label(True, kind="scam"))
    with database.connect() as connection:
        newest = max(each.change_seq for each in labels.find(connection))
    add(database, label("healthcare", day=2), label(9.5, kind="my-own"))

    assert in_force(database, kind="category", posting_id="q") == ["legal"]
    assert in_force(database, since=newest) == ["healthcare", 9.5]
    assert in_force(database, limit=1) == ["legal"]
    with database.connect() as connection:
        assert labels.count_by_kind(connection) == {"category": 2, "my-own": 1, "scam": 1}
        assert labels.count_by_kind(connection, since=newest) == {"category": 1, "my-own": 1}


def test_training_texts_join_labels_with_their_postings(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting("p")])
    add(database, label("legal"), label("legal", posting_id="unknown"), label(1, kind="scam"))

    with database.connect() as connection:
        (found,) = labels.training_texts(connection, "category")
    assert (found.posting_id, found.text, found.value) == ("p", "Text of p", "legal")


def test_an_annotator_may_be_unknown_or_long(database: Database) -> None:
    nobody = label("legal")
    del nobody["annotator"], nobody["created_at"]
    longest = label("legal", annotator="汉" * 1_000, posting_id="汉" * 200, kind="汉" * 200)

    assert add(database, nobody, longest) == 2

    with database.connect() as connection:
        annotators = [each.annotator for each in labels.find(connection)]
    assert annotators == [labels.UNKNOWN_ANNOTATOR, "汉" * 1_000]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"posting_id": ""}, "labels.0.posting_id"),
        ({"kind": None}, "labels.0.kind"),
        ({"value": float("inf")}, "labels.0.value"),
        ({"annotator": "a\x00"}, "labels.0.annotator"),
        ({"created_at": "yesterday"}, "labels.0.created_at"),
        ({"weight": 2}, "labels.0.weight"),
        ({"seconds_spent": -0.1}, "labels.0.seconds_spent"),
        ({"seconds_spent": 86_401}, "labels.0.seconds_spent"),
        ({"seconds_spent": float("nan")}, "labels.0.seconds_spent"),
        ({"seconds_spent": "2"}, "labels.0.seconds_spent"),
        ({"seconds_spent": True}, "labels.0.seconds_spent"),
        ({"strategy": 1}, "labels.0.strategy"),
        ({"chosen_by": "\ud800"}, "labels.0.chosen_by"),
        ({"model_version": "a\x00"}, "labels.0.model_version"),
    ],
)
def test_a_label_that_cannot_be_stored_is_refused(
    database: Database, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(database, label("legal") | more)
    assert refused.value.field == field


def test_a_label_without_a_value_is_refused(database: Database) -> None:
    row = label("legal")
    del row["value"]

    with pytest.raises(InvalidInput, match=r"^labels\.0\.value: is missing$"):
        add(database, row)
