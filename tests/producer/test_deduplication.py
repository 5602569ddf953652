"""Of several copies of a posting one is sent, and the others point to it."""

from __future__ import annotations

from typing import Any

import pytest

from jobsentinel import InvalidInput, Posting, Producer
from jobsentinel.contract import requests, wire
from jobsentinel.contract.limits import MAX_COPIES_A_MESSAGE
from jobsentinel.deduplication import ExactDuplicates, NearDuplicates
from jobsentinel.intake import chunks

TEXT = " ".join(f"word{n % 37} duty{n % 11} ward{n % 7} skill{n}" for n in range(60))


def posting(name: str, title: str = "Nurse", text: str = TEXT, **fields: Any) -> Posting:
    return Posting(id=name, title=title, description=text, **fields)


def sent(producer: Producer, job_id: str) -> requests.ScoreRequest:
    payload = producer.ledger._field(job_id, "payload")
    assert payload is not None
    _, request = wire.decode_request(payload)
    assert isinstance(request, requests.ScoreRequest)
    return request


def test_exact_copies_are_named_and_not_sent(producer: Producer) -> None:
    # Given one posting on three boards, and another
    postings = [
        posting("a", source="board one", url="https://one.example/1"),
        posting("b", source="board two"),
        posting("x", title="Cook"),
        posting("c", text=TEXT.replace(" ", "  ")),
    ]

    # When they are sent
    (job,) = producer.score(postings, deduplicate="exact").jobs

    # Then it is sent once, and the copies point to it
    request = sent(producer, job.job_id)
    assert [each.id for each in request.postings] == ["a", "x"]
    assert request.copies == {"b": "a", "c": "a"}


def test_near_copies_are_found_too_and_others_are_not() -> None:
    # Given a copy with a few other words, and a posting that shares its words in another order
    near = NearDuplicates()
    changed = TEXT.replace("skill7 ", "skill7 urgently ")
    words = TEXT.split()
    shuffled = " ".join(words[::-1])

    # Then the first is a copy and the second is not, nor is a posting one of itself
    assert near.original_of(posting("a")) is None
    assert near.original_of(posting("b", text=changed)) == "a"
    assert near.original_of(posting("c", text=shuffled)) is None
    assert near.original_of(posting("a", text=changed)) is None


def test_without_being_asked_nothing_is_left_out(producer: Producer) -> None:
    (job,) = producer.score([posting("a"), posting("b")]).jobs

    request = sent(producer, job.job_id)
    assert len(request.postings) == 2
    assert request.copies == {}


def test_one_memory_serves_several_calls_and_a_job_may_hold_copies_only(
    producer: Producer,
) -> None:
    # Given what was sent by one call
    memory = ExactDuplicates()
    producer.score([posting("a")], deduplicate=memory)

    # When another board's call has copies only
    (job,) = producer.score([posting("b"), posting("c")], deduplicate=memory).jobs

    # Then none of them is sent again
    request = sent(producer, job.job_id)
    assert request.postings == ()
    assert request.copies == {"b": "a", "c": "a"}


def test_every_posting_is_in_some_chunk_once_however_many_copies_there_are() -> None:
    # Given more copies than a request may name
    count = MAX_COPIES_A_MESSAGE + 300
    postings = [posting(str(number), text="short") for number in range(count)]

    made = list(chunks(postings, 128, ExactDuplicates()))

    # Then the rest is sent, and nothing is lost
    names = [each.id for chunk in made for each in chunk.postings]
    names += [name for chunk in made for name in chunk.copies]
    assert sorted(names) == sorted(each.id for each in postings)
    assert len(made[0].copies) == MAX_COPIES_A_MESSAGE


def test_an_unknown_kind_is_named(producer: Producer) -> None:
    with pytest.raises(InvalidInput, match=r"deduplicate: is 'fuzzy'; it must be"):
        producer.score([posting("a")], deduplicate="fuzzy")  # type: ignore[arg-type]  # on purpose


def test_a_request_names_postings_or_copies_and_none_twice() -> None:
    with pytest.raises(InvalidInput, match="postings: must hold at least 1 posting"):
        requests.ScoreRequest.parse({"postings": ()})
    with pytest.raises(InvalidInput, match="copies: names 'a', which is among the postings"):
        requests.ScoreRequest.parse({"postings": (posting("a"),), "copies": {"a": "b"}})
