"""Feedback on a search: which fields a relevance label has, and what they may hold."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel import InvalidInput
from jobsentinel.contract import wire
from jobsentinel.contract.base import dump
from jobsentinel.contract.postings import Label
from jobsentinel.contract.requests import AddLabelsRequest
from jobsentinel.contract.tasks import TASKS

SEEN = {"posting_id": "a", "kind": "relevance", "query": "night nurse"}


@pytest.mark.parametrize(
    "said",
    [
        {"value": 0.75},
        {"value": 0},
        {"event": "rated", "value": 1.0, "annotator": "ann"},
        {"event": "applied", "shown_rank": 3},
        {"event": "saved", "shown_rank": 1},
        {"event": "dismissed"},
    ],
)
def test_feedback_survives_the_wire_as_it_was_given(said: dict[str, Any]) -> None:
    request = AddLabelsRequest.parse({"labels": [SEEN | said]})

    _, decoded = wire.decode_request(wire.encode_request(TASKS["add_labels"], request))

    assert isinstance(decoded, AddLabelsRequest)
    assert dump(decoded.labels[0]) == SEEN | said


@pytest.mark.parametrize(
    ("said", "field", "says"),
    [
        ({"value": 0.5, "query": None}, "query", "is missing; a label of kind 'relevance'"),
        ({"value": 0.5, "query": " \n"}, "query", "other than white space"),
        ({"value": 0.5, "query": "word " * 50_000}, "query", "at most 100000 characters"),
        ({"value": 0.5, "query": 7}, "query", "found int 7"),
        ({"value": 1.5}, "value", "must be a number from 0 to 1 for kind 'relevance'"),
        ({"value": -0.1}, "value", "must be a number from 0 to 1"),
        ({"value": True}, "value", "found bool True"),
        ({"value": "high"}, "value", "found text 'high'"),
        ({"value": float("nan")}, "value", "found float nan"),
        ({}, "value", "or the event that was seen"),
        ({"event": "rated"}, "value", "is missing"),
        ({"event": "applied", "value": 1.0}, "value", "only 'rated' has one"),
        ({"event": "hired"}, "event", "'applied', 'saved', 'dismissed' or 'rated'"),
        ({"event": "applied", "shown_rank": 0}, "shown_rank", "found int 0"),
        ({"event": "applied", "shown_rank": 1_000_001}, "shown_rank", "1000000"),
        ({"event": "applied", "shown_rank": 2.5}, "shown_rank", "found float 2.5"),
    ],
)
def test_feedback_that_cannot_be_is_refused_by_its_field(
    said: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Label.parse(SEEN | said)

    assert refused.value.field == field
    assert says in refused.value.problem


@pytest.mark.parametrize("more", [{"query": "nurse"}, {"event": "saved"}, {"shown_rank": 2}])
def test_other_labels_belong_to_no_query(more: dict[str, Any]) -> None:
    (field,) = more

    with pytest.raises(InvalidInput, match="for labels of kind 'relevance' only") as refused:
        Label.parse({"posting_id": "a", "kind": "scam", "value": True} | more)

    assert refused.value.field == field


def test_other_labels_need_a_value() -> None:
    with pytest.raises(InvalidInput, match=r"^value: is missing$"):
        Label.parse({"posting_id": "a", "kind": "scam"})
