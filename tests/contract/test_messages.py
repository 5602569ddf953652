"""The contract: what is accepted, what is refused, and how the refusal reads."""

from __future__ import annotations

import math
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel import InvalidInput, Label, Posting
from jobsentinel.contract import limits, wire
from jobsentinel.contract.base import CONTRACT_VERSION, dump
from jobsentinel.contract.requests import RerankRequest, ScoreRequest, SelectRequest
from jobsentinel.contract.results import ModelStamp, PostingScore, ScoreResult, StatedSalary
from jobsentinel.contract.tasks import TASKS
from jobsentinel.contract.training_requests import FineTuneRequest, TrainMultiTaskRequest

POSTING = {"id": "a", "title": "Cook"}
ROWS = [{"text": f"row {i}", "label": "yes" if i % 2 else "no"} for i in range(8)]
CLASSIFIER: dict[str, Any] = {"name": "m", "task": "classification", "rows": ROWS}
PAIRS: dict[str, Any] = {
    "name": "m",
    "task": "similarity",
    "rows": [{"text_a": f"a{i}", "text_b": f"b{i}"} for i in range(8)],
}
RERANKER: dict[str, Any] = {
    "name": "m",
    "task": "reranker",
    "rows": [{"query": f"q{i}", "text": "t", "score": i / 8} for i in range(8)],
}


def refusal(kind: Any, data: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        kind.parse(data)
    return caught.value


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"title": "", "description": " \n"}, "description", "both empty"),
        ({"title": None}, "title", "found null"),
        ({"title": 7}, "title", "found int 7"),
        ({"title": "x" * 1001}, "title", "1000 characters"),
        ({"description": "x" * 10_000_000}, "description", "100000 characters"),
        ({"remote": "yes"}, "remote", "boolean"),
        ({"salary": math.nan}, "salary", "found float nan"),
        ({"pay": "much"}, "pay", "not a field"),
        ({"id": ""}, "id", "at least 1 character"),
        ({"id": "a\x00b"}, "id", "printable"),
        ({"id": " a"}, "id", "blanks"),
        ({"id": 3}, "id", "found int 3"),
        ({"posted_at": "yesterday"}, "posted_at", "ISO 8601"),
        ({"title": "bad \ud800"}, "title", ""),
    ],
)
def test_a_bad_posting_is_refused_by_field(change: dict[str, Any], field: str, says: str) -> None:
    error = refusal(ScoreRequest, {"postings": [POSTING | {"id": "ok"}, POSTING | change]})

    assert error.field == f"postings.1.{field}"
    assert says in error.problem


def test_control_characters_in_texts_become_spaces() -> None:
    posting = Posting.parse({"id": "a", "title": "Co\x00ok\u200b", "description": "línea 🧑‍🍳"})

    assert posting.title == "Co ok "
    assert posting.description == "línea 🧑‍🍳"


@pytest.mark.parametrize(
    ("kind", "data", "field", "says"),
    [
        (ScoreRequest, {"postings": []}, "postings", "at least 1"),
        (ScoreRequest, {"postings": [POSTING] * 129}, "postings", "at most 128"),
        (ScoreRequest, {"postings": [POSTING, POSTING]}, "postings.1.id", "repeats 'a'"),
        (ScoreRequest, {"postings": "abc"}, "postings", "found text"),
        (ScoreRequest, {"postings": [POSTING], "models": ["Bad Name"]}, "models.0", "pattern"),
        (RerankRequest, {"query": "  ", "candidates": []}, "query", "white space"),
        (RerankRequest, {"query": "q", "final_top_k": 0}, "final_top_k", "greater than"),
        (RerankRequest, {"query": "q", "initial_top_k": True}, "initial_top_k", "found bool"),
        (SelectRequest, {"samples": [], "strategy": "best"}, "strategy", "'margin'"),
        (SelectRequest, {"samples": [], "num_samples": 0}, "num_samples", "greater than"),
        (
            FineTuneRequest,
            {"name": "m", "task": "classification", "rows": ROWS[:3]},
            "rows",
            "at least 8",
        ),
        (
            FineTuneRequest,
            {"name": "m", "task": "classification", "rows": [ROWS[0]] * 9},
            "rows",
            "1 distinct label",
        ),
        (FineTuneRequest, {"name": "m", "task": "regression", "rows": ROWS}, "rows.0", "value"),
        (FineTuneRequest, {"name": "m", "task": "reranker", "rows": ROWS}, "rows.0", "query"),
        (
            FineTuneRequest,
            CLASSIFIER | {"few_shot": True, "method": "full"},
            "few_shot",
            "method head",
        ),
        (FineTuneRequest, CLASSIFIER | {"adapt": "mlm"}, "unlabelled", "need each other"),
        (FineTuneRequest, CLASSIFIER | {"unlabelled": ["x"]}, "unlabelled", "need each other"),
        (FineTuneRequest, CLASSIFIER | {"classes": ["yes", "yes"]}, "classes", "twice"),
        (FineTuneRequest, CLASSIFIER | {"classes": ["yes"]}, "classes", "at least 2"),
        (FineTuneRequest, CLASSIFIER | {"curriculum": "hard"}, "curriculum", "'length'"),
        (FineTuneRequest, RERANKER | {"method": "full"}, "method", "head or lora"),
        (FineTuneRequest, RERANKER | {"classes": ["a", "b"]}, "classes", "classification"),
        (FineTuneRequest, PAIRS, "method", "top2, full or lora"),
        (
            FineTuneRequest,
            PAIRS | {"rows": [*PAIRS["rows"], {"text_a": "a", "text_b": "b", "score": 0.5}]},
            "rows.8.score",
            "rows.0 has none",
        ),
        (
            FineTuneRequest,
            {"name": "m", "task": "regression", "rows": [{"text": "x", "value": math.nan}] * 9},
            "rows.0.value",
            "finite",
        ),
        (
            TrainMultiTaskRequest,
            {"rows": [{"text": "x", "salary_year_usd": -5.0}] * 9},
            "rows.0.salary_year_usd",
            "1,000 to 10,000,000",
        ),
    ],
)
def test_a_bad_request_is_refused_by_field(
    kind: Any, data: dict[str, Any], field: str, says: str
) -> None:
    error = refusal(kind, data)

    assert error.field == field
    assert says in error.problem


@pytest.mark.parametrize(
    "data",
    [
        CLASSIFIER | {"few_shot": True, "classes": ["no", "yes"], "curriculum": "loss"},
        CLASSIFIER | {"method": "lora", "adapt": "tsdae", "unlabelled": ["text"] * 8},
        PAIRS | {"method": "full"},
        RERANKER | {"method": "lora"},
    ],
)
def test_what_a_fine_tuning_may_ask_for_survives_the_wire(data: dict[str, Any]) -> None:
    request = FineTuneRequest.parse(data)

    assert wire.decode_request(wire.encode_request(TASKS["fine_tune"], request))[1] == request


@pytest.mark.parametrize(
    ("kind", "value", "fine"),
    [
        ("scam", True, True),
        ("scam", 1.0, False),
        ("category", "legal", True),
        ("category", "lawyers", False),
        ("salary", 55_000.0, True),
        ("salary", True, False),
        ("salary", -1.0, False),
        ("match", 0.5, True),
        ("match", 1.5, False),
        ("seniority", "junior", True),
    ],
)
def test_a_label_has_the_kind_of_value_its_question_needs(
    kind: str, value: object, fine: bool
) -> None:
    data = {"posting_id": "a", "kind": kind, "value": value}

    if fine:
        assert Label.parse(data).value == value
    else:
        assert refusal(Label, data).field == "value"


texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=40
).filter(str.strip)
ids = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(ids, texts), min_size=1, max_size=5, unique_by=lambda pair: pair[0]))
def test_any_request_survives_the_wire(pairs: list[tuple[str, str]]) -> None:
    request = ScoreRequest.parse({"postings": [{"id": i, "title": t} for i, t in pairs]})

    task, decoded = wire.decode_request(wire.encode_request(TASKS["score"], request))

    assert task is TASKS["score"]
    assert decoded == request


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(noise: bytes) -> None:
    with pytest.raises(InvalidInput):
        wire.decode_request(noise)


def envelope(**changes: object) -> bytes:
    plain = {
        "v": CONTRACT_VERSION,
        "task": "score",
        "request": dump(ScoreRequest.parse({"postings": [POSTING]})),
    }
    packed: bytes = msgpack.packb(plain | changes)
    return packed


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"v": 2}, "v", "is 2; this side reads contract 1"),
        ({"task": "fly"}, "task", "'fly'"),
        ({"task": 5}, "task", "5"),
        ({"request": [1]}, "ScoreRequest", "list"),
    ],
)
def test_an_envelope_this_side_cannot_read_is_refused(
    change: dict[str, object], field: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        wire.decode_request(envelope(**change))

    assert caught.value.field == field
    assert says in caught.value.problem


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(InvalidInput, match=f"{limits.MAX_PAYLOAD_BYTES:,}"):
        wire.unpack(b"\x00" * (limits.MAX_PAYLOAD_BYTES + 1))


def test_a_score_of_an_earlier_version_states_no_salary() -> None:
    # Given a stored score from before stated salaries were read
    stored = {"posting_id": "a", "salary_year_usd": {"value": 6e4, "low": 5e4, "high": 7e4}}

    # When it is read
    score = PostingScore.parse(stored)

    # Then it states none, and is written as it was
    assert score.stated_salary is None
    assert dump(score) == stored | {"custom": {}}


def test_a_stated_salary_survives_the_wire_with_its_open_end() -> None:
    stated = StatedSalary(low=16.0, currency="USD", period="hour", low_year=33_280.0, text="$16+")
    score = PostingScore(posting_id="a", stated_salary=stated)

    assert PostingScore.parse(msgpack.unpackb(msgpack.packb(dump(score)))) == score


def test_an_answer_of_a_newer_worker_is_read_without_what_is_new() -> None:
    stamp = {"name": "multi-task", "version": 3, "precision": "fp32", "region": "north"}
    answer = {"scores": [{"posting_id": "a", "mood": "good", "model": stamp}], "took_ms": 4}

    result = ScoreResult.parse(answer)

    assert result.scores[0].posting_id == "a"
    assert result.scores[0].model == ModelStamp(name="multi-task", version=3, precision="fp32")
