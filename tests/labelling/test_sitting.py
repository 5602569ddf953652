"""What a person's keys do to a batch, without a terminal."""

from __future__ import annotations

import os

import pytest
from stored_postings import COOK, NURSE, store_scored, stored_labels

from jobsentinel import Settings
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.cli.label_answers import Typing, keys_for
from jobsentinel_workers.cli.label_keys import BACKSPACE, END, ENTER, MORE, Keys
from jobsentinel_workers.labelling.handing_out import Wanted, hand_out
from jobsentinel_workers.labelling.questions import Question, built_in_question
from jobsentinel_workers.labelling.sitting import Sitting, agrees
from jobsentinel_workers.labelling.tasks import Prediction
from jobsentinel_workers.store import Database, reservations

CATEGORY = built_in_question("category")


def sitting_of(database: Database, settings: Settings, annotator: str, count: int) -> Sitting:
    """Return a batch in somebody's hands."""
    found = hand_out(database, Wanted(CATEGORY, annotator, count))
    return Sitting(database, AuditLog(settings), CATEGORY, annotator, found)


def test_what_is_skipped_can_be_taken_back_unless_somebody_else_has_it(
    database: Database, settings: Settings
) -> None:
    # Given two postings, both skipped
    store_scored(database, 2)
    sitting = sitting_of(database, settings, "ann", 2)
    first, second = sitting.tasks
    for task in (first, second):
        sitting.skip(task)

    # When the second goes to somebody else, and both skips are to be taken back
    with database.begin() as connection:
        row = {"posting_id": second.posting_id, "kind": "category", "batch_id": "b", "position": 0}
        why = {"strategy": "random", "chosen_by": "random", "score": 1.0, "reason": "drawn"}
        reservations.reserve(connection, [row | why], annotator="bob", until="2099-01-01T00:00:00Z")

    # Then the second stays skipped
    assert not sitting.undo()
    assert sitting.current is None
    with database.begin() as connection:
        reservations.release(connection, annotator="bob")
    assert sitting.undo()
    assert sitting.current == second


def test_taking_everything_back_leaves_no_label_and_every_reservation(
    database: Database, settings: Settings
) -> None:
    store_scored(database, 3)
    sitting = sitting_of(database, settings, "ann", 3)
    for value in (NURSE, COOK, NURSE):
        assert sitting.current is not None
        sitting.answer(sitting.current, value, seconds=1.0)
    assert sitting.tally().labelled == 3

    while sitting.undo():
        pass

    assert stored_labels(database) == {}
    assert (sitting.tally().labelled, sitting.current) == (0, sitting.tasks[0])
    with database.connect() as connection:
        assert len(reservations.find(connection, annotator="ann")) == 3


def test_an_answer_that_the_kind_does_not_have_leaves_the_posting_where_it_is(
    database: Database, settings: Settings
) -> None:
    store_scored(database, 1)
    sitting = sitting_of(database, settings, "ann", 1)
    (task,) = sitting.tasks

    with pytest.raises(InvalidInput, match="category keys"):
        sitting.answer(task, "baker", seconds=1.0)

    assert sitting.current == task
    assert stored_labels(database) == {}


@pytest.mark.parametrize(
    ("kind", "prediction", "value", "same"),
    [
        ("category", Prediction(NURSE, "m@1"), NURSE, True),
        ("category", Prediction(NURSE, "m@1"), COOK, False),
        ("scam", Prediction(False, "m@1", 0.9), False, True),
        ("salary", Prediction(50e3, "m@1", low=40e3, high=60e3), 60e3, True),
        ("salary", Prediction(50e3, "m@1", low=40e3, high=60e3), 61e3, False),
        ("salary", Prediction(50e3, "m@1"), 54e3, True),
        ("salary", Prediction(50e3, "m@1"), 56e3, False),
        ("match", Prediction(0.1, "m@1"), 0.15, True),
        ("match", Prediction(0.1, "m@1"), 0.25, False),
    ],
)
def test_agreement_is_the_same_class_or_a_number_close_by(
    *, kind: str, prediction: Prediction, value: str | bool | float, same: bool
) -> None:
    assert agrees(prediction, value, built_in_question(kind)) is same


def test_every_class_has_a_key_of_its_own_that_is_no_command() -> None:
    keys = keys_for(CATEGORY)

    assert list(keys.values()) == list(CATEGORY.classes)
    assert not {"u", "s", "q", " "} & keys.keys()
    assert keys_for(built_in_question("scam")) == {"y": True, "n": False}


def test_more_classes_than_keys_are_typed_by_number() -> None:
    many = Question("own", "choice", {f"c{n}": f"c{n}" for n in range(60)})
    typing = Typing(many)

    for key in "61x":
        typing.add(key)

    assert keys_for(many) == {}
    assert (typing.shown, typing.enter(), typing.fault) == (
        *("61", None, "61: type a number from 1 to 60"),
    )
    typing.add("2")
    assert typing.enter() == "c1"


def test_keys_come_one_by_one_whatever_arrives_at_once() -> None:
    read, write = os.pipe()
    try:
        os.write(write, "1é\r\x7f\b\x1b[B\x1b[A\x1bOP\x1bz\x04".encode())
        keys = Keys(read)

        pressed = [keys.next() for _ in range(8)]
    finally:
        os.close(read)
        os.close(write)

    assert pressed == ["1", "é", ENTER, BACKSPACE, BACKSPACE, MORE, "z", END]
