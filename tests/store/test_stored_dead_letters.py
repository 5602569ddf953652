"""Dead letters in the store."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, dead_letters
from jobsentinel_workers.store.dead_letters import LetterFilter, LetterKey

PAYLOAD = msgpack.packb({"postings": [{"id": "p", "title": "\x00\x01 ü"}]})


def add(database: Database, job_id: str, **more: Any) -> None:
    given: dict[str, Any] = {
        "task": "score",
        "queue": "inference.bulk",
        "payload": PAYLOAD,
        "reason": "attempts_exhausted",
        "created_at": "2026-11-22T12:00:00Z",
    }
    with database.begin() as connection:
        dead_letters.add(connection, job_id=job_id, **{**given, **more})


def found(database: Database, limit: int = 100, **filters: Any) -> list[str]:
    """Return ids, newest first, after a look at whether all three ways find the same letters."""
    which = LetterFilter(**filters)
    with database.connect() as connection:
        letters = dead_letters.find(connection, which)
        assert dead_letters.count(connection, which) == len(letters)
        keys = dead_letters.keys(connection, which)
        assert sorted(keys) == sorted((each.job_id, each.created_at) for each in letters)
        return [letter.job_id for letter in dead_letters.find(connection, which, limit=limit)]


def get(database: Database, job_id: str) -> dead_letters.DeadLetter | None:
    with database.connect() as connection:
        return dead_letters.get(connection, job_id)


def test_a_dead_letter_comes_back_with_its_payload(database: Database) -> None:
    add(
        database,
        "job",
        error="it broke",
        traceback="Traceback\n ...",
        attempts=5,
        versions={"jobsentinel-ml": "0.1.0"},
    )

    assert get(database, "unknown") is None
    assert get(database, "job") == dead_letters.DeadLetter(
        job_id="job",
        task="score",
        queue="inference.bulk",
        payload_bytes=len(PAYLOAD),
        reason="attempts_exhausted",
        error="it broke",
        traceback="Traceback\n ...",
        attempts=5,
        versions={"jobsentinel-ml": "0.1.0"},
        created_at="2026-11-22T12:00:00.000000Z",
        payload=PAYLOAD,
    )


def test_a_newer_letter_of_a_job_takes_the_place_of_the_older_one(database: Database) -> None:
    # Given a job that was given up, and another that nobody touches
    add(database, "job", error="first", traceback="Traceback ...", attempts=3)
    add(database, "other", error="its own")

    # When the first is given up once more
    add(database, "job", error="second", attempts=1, created_at="2026-11-23T00:00:00Z")

    # Then its letter is the newer one, in all its parts
    letter = get(database, "job")
    assert letter is not None
    assert (letter.error, letter.traceback, letter.attempts) == ("second", "", 1)
    assert (letter.created_at, letter.payload) == ("2026-11-23T00:00:00.000000Z", PAYLOAD)
    assert found(database) == ["job", "other"]


def test_the_same_failure_once_more_is_a_letter_of_its_own_time(database: Database) -> None:
    add(database, "job", error="same")
    add(database, "job", error="same", created_at="2026-11-23T00:00:00Z")

    letter = get(database, "job")
    assert letter is not None
    assert letter.created_at == "2026-11-23T00:00:00.000000Z"


def test_a_letter_that_lost_its_request_keeps_that_of_the_older_one(database: Database) -> None:
    add(database, "job")
    add(database, "job", payload=b"", reason="corrupted")
    add(database, "other", payload=b"", reason="corrupted")

    letter, other = get(database, "job"), get(database, "other")
    assert letter is not None
    assert other is not None
    assert (letter.reason, letter.payload) == ("corrupted", PAYLOAD)
    assert other.payload == b""


def test_letters_are_found_by_task_reason_and_time_newest_first(database: Database) -> None:
    add(database, "a", created_at="2026-11-20T00:00:00Z")
    add(database, "b", created_at="2026-11-21T01:00:00+01:00", reason="invalid_input")
    add(database, "c", created_at="2026-11-22T00:00:00Z", task="rerank")

    assert found(database) == ["c", "b", "a"]
    assert found(database, limit=2) == ["c", "b"]
    assert found(database, task="score") == ["b", "a"]
    assert found(database, reason="invalid_input") == ["b"]
    assert found(database, since="2026-11-21T00:00:00Z") == ["c", "b"]


def test_letters_are_found_by_what_their_error_says(database: Database) -> None:
    add(database, "a", error="RuntimeError: CUDA out of memory")
    add(database, "b", error="100% of 3_000 rows are odd")
    add(database, "c", error="1000 of 3x000 rows are odd")

    assert found(database, contains="cuda OUT") == ["a"]
    assert found(database, contains="100% of") == ["b"]
    assert found(database, contains="3_000") == ["b"]
    assert found(database, contains="rows are odd", limit=1) == ["b"]
    assert found(database, contains="rows", task="rerank") == []


def test_letters_are_found_up_to_a_time_that_counts(database: Database) -> None:
    add(database, "a", created_at="2026-11-20T00:00:00Z")
    add(database, "b", created_at="2026-11-21T00:00:00Z")
    add(database, "c", created_at="2026-11-21T00:00:00.000001Z")

    assert found(database, until="2026-11-21T00:00:00Z") == ["b", "a"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contains", ""),
        ("contains", "x" * 1001),
        ("contains", "\udcff"),
        ("task", "\udcff"),
        ("reason", "\x00"),
        ("since", "yesterday"),
        ("until", "2026-11-21T00:00:00"),
    ],
)
def test_a_filter_that_no_letter_could_pass_is_refused(
    database: Database, field: str, value: str
) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}: "):
        found(database, **{field: value})


def test_letters_are_walked_over_oldest_first_also_where_times_are_equal(
    database: Database,
) -> None:
    # Given letters of which several have the same time
    days = {"a": 3, "b": 1, "c": 2, "d": 2, "e": 2}
    for job_id, day in days.items():
        add(database, job_id, created_at=f"2026-11-0{day}T00:00:00Z")

    # When they are read two at a time
    walked: list[LetterKey] = []
    with database.connect() as connection:
        while page := dead_letters.keys(connection, after=walked[-1] if walked else None, limit=2):
            walked += page

    # Then each comes once
    assert [key.job_id for key in walked] == ["b", "c", "d", "e", "a"]
    assert walked[0].created_at == "2026-11-01T00:00:00.000000Z"


def test_a_deleted_letter_may_come_again(database: Database) -> None:
    add(database, "job", error="first")

    with database.begin() as connection:
        assert dead_letters.delete(connection, "job")
        assert not dead_letters.delete(connection, "job")

    add(database, "job", error="second")
    assert found(database) == ["job"]


def test_who_has_read_a_letter_deletes_no_newer_one(database: Database) -> None:
    # Given a letter that was read, and one that came in its place
    add(database, "job")
    read = get(database, "job")
    assert read is not None
    add(database, "job", created_at="2026-11-23T00:00:00Z")

    # When the one that was read is deleted
    with database.begin() as connection:
        was_there = dead_letters.delete(connection, "job", created_at=read.created_at)

    # Then the newer one stays
    assert not was_there
    assert found(database) == ["job"]
    with database.begin() as connection:
        assert dead_letters.delete(connection, "job", created_at="2026-11-23T00:00:00.000000Z")


def test_no_error_text_can_keep_a_letter_from_being_stored(database: Database) -> None:
    add(database, "job", error="bad \x00 byte", traceback="file \udcff.py")

    letter = get(database, "job")
    assert letter is not None
    assert (letter.error, letter.traceback) == ("bad \\u0000 byte", "file \\udcff.py")


def test_an_empty_job_id_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match=r"^job_id: "):
        add(database, "")
