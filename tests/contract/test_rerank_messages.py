"""What a ranking request may ask, and how older and newer peers read each other."""

from __future__ import annotations

import pytest

from jobsentinel import InvalidInput, Producer
from jobsentinel.contract import limits
from jobsentinel.contract.base import dump
from jobsentinel.contract.requests import RerankRequest
from jobsentinel.contract.results import RankedPosting, RerankResult


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first_stage", "bm25"),
        ("where", "remote >>> true"),
        ("collapse_duplicates", "yes"),
        ("diversity", 1.5),
        ("diversity", -0.1),
        ("final_top_k", 0),
        ("initial_top_k", 0),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        RerankRequest.parse({"query": "nurse", field: value})

    assert caught.value.field == field


def test_a_filter_and_candidates_do_not_go_together() -> None:
    with pytest.raises(InvalidInput, match="where: chooses among indexed postings"):
        RerankRequest.parse({"query": "q", "where": "remote = true", "candidates": []})


def test_too_many_candidates_are_refused_with_the_way_to_rank_them(producer: Producer) -> None:
    many = ({"id": str(n), "text": "Nurse"} for n in range(100_000))

    with pytest.raises(
        InvalidInput, match=r"candidates: are more than the 1,000 .* `jobsentinel index`"
    ):
        producer.rerank("nurse", many)
    assert next(many)["id"] == str(limits.MAX_CANDIDATES + 1)


def test_a_plain_request_can_be_read_by_a_worker_of_an_earlier_version() -> None:
    # Given a request that uses nothing new
    request = RerankRequest.parse({"query": "nurse"})

    # Then no new field is on the wire, and what is chosen otherwise is
    assert dump(request) == {"query": "nurse", "initial_top_k": 100, "final_top_k": 20}
    chosen = {"first_stage": "dense", "collapse_duplicates": False, "diversity": 0.5}
    sent = dump(RerankRequest.parse({"query": "nurse", **chosen}))
    assert {name: sent[name] for name in chosen} == chosen
    assert RerankRequest.parse(sent) == RerankRequest.parse({"query": "nurse", **chosen})


def test_the_answer_of_an_older_worker_is_read() -> None:
    posting = {
        "id": "a",
        "rank": 1,
        "score": 0.5,
        "bi_encoder_score": 0.4,
        "bi_encoder_rank": 1,
        "cross_encoder_score": 2.0,
        "cross_encoder_rank": 1,
    }

    result = RerankResult.parse(
        {"ranked": [posting], "candidates": 1, "timings_ms": {"total": 2.0}, "models": []}
    )

    (ranked,) = result.ranked
    assert isinstance(ranked, RankedPosting)
    assert (ranked.lexical_rank, ranked.duplicates, ranked.reason) == (None, (), "")
    assert (result.first_stage, result.duplicates) == ("dense", 0)
