"""Judgements: rows in, one word for each query and document out, or an error that names both."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.reranking.judgements import JudgementRow, Judgements, collect


def judged(*rows: dict[str, Any]) -> Judgements:
    places = enumerate(rows, start=1)
    return collect([(f"j.jsonl:{n}", JudgementRow.parse(row)) for n, row in places])


def test_rows_become_grades_by_query_and_document() -> None:
    found = judged(
        {"query": "nurse", "posting_id": "a", "relevance": 2, "segment": "short query"},
        {"query": "nurse", "posting_id": "b", "relevance": 0},
        {"query": "driver", "posting_id": "a", "relevance": 1.5},
    )

    assert found.grades == {"nurse": {"a": 2.0, "b": 0.0}, "driver": {"a": 1.5}}
    assert found.segments == {"nurse": "short query"}


def test_a_query_is_the_same_whatever_its_white_space_and_unicode_form() -> None:
    found = judged(
        {"query": " caf\u00e9  manager", "posting_id": "a", "relevance": 1},
        {"query": "cafe\u0301 manager", "posting_id": "b", "relevance": 1},
    )

    assert found.grades == {"caf\u00e9 manager": {"a": 1.0, "b": 1.0}}


def test_a_text_of_its_own_is_one_document_however_often_it_is_judged() -> None:
    found = judged(
        {"query": "nurse", "text": "Night  nurse", "relevance": 1},
        {"query": "driver", "text": "Night nurse", "relevance": 0},
    )

    (document,) = found.texts
    assert found.grades == {"nurse": {document: 1.0}, "driver": {document: 0.0}}
    assert found.texts[document] == "Night nurse"


def test_the_same_row_twice_counts_once() -> None:
    row = {"query": "nurse", "posting_id": "a", "relevance": 1}

    assert judged(row, row).grades == {"nurse": {"a": 1.0}}


@pytest.mark.parametrize(
    ("field", "first", "second"), [("relevance", 1, 2), ("segment", "résumé", "short query")]
)
def test_rows_that_contradict_each_other_are_both_named(
    field: str, first: object, second: object
) -> None:
    row = {"query": "nurse", "posting_id": "a", "relevance": 1}

    with pytest.raises(InvalidInput) as refusal:
        judged(
            row | {field: first},
            {"query": "x", "posting_id": "a", "relevance": 1},
            row | {field: second},
        )

    assert refusal.value.field == f"j.jsonl:3: {field}"
    assert "j.jsonl:1" in refusal.value.problem


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"query": "  "}, "query"),
        ({"query": "&nbsp;"}, "query"),
        ({"query": 7}, "query"),
        ({"relevance": -1}, "relevance"),
        ({"relevance": True}, "relevance"),
        ({"relevance": "1"}, "relevance"),
        ({"relevance": float("nan")}, "relevance"),
        ({"relevance": float("inf")}, "relevance"),
        ({"relevance": 10_000}, "relevance"),
        ({"posting_id": None}, "posting_id"),
        ({"text": "also a text"}, "posting_id"),
        ({"segment": ["a"]}, "segment"),
        ({"grade": 1}, "grade"),
    ],
)
def test_a_bad_row_is_refused_with_the_field_named(change: dict[str, Any], field: str) -> None:
    row = {"query": "nurse", "posting_id": "a", "relevance": 1} | change

    with pytest.raises(InvalidInput) as refusal:
        JudgementRow.parse(row)

    assert refusal.value.field == field


def test_judgements_of_documents_that_are_gone_can_be_left_out() -> None:
    given = judged(
        {"query": "nurse", "posting_id": "a", "relevance": 1},
        {"query": "driver", "posting_id": "b", "relevance": 1},
    )

    assert given.only({"a"}).grades == {"nurse": {"a": 1.0}, "driver": {}}
