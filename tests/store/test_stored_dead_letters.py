"""Dead letters in the store."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, dead_letters

PAYLOAD = msgpack.packb({"postings": [{"id": "p", "title": "\x00\x01 ü"}]})


def add(database: Database, job_id: str, **more: Any) -> bool:
    given: dict[str, Any] = {
        "task": "score",
        "queue": "inference.bulk",
        "payload": PAYLOAD,
        "reason": "attempts_exhausted",
        "created_at": "2026-11-22T12:00:00Z",
    }
    with database.begin() as connection:
        return dead_letters.add(connection, job_id=job_id, **{**given, **more})


def found(database: Database, **filters: Any) -> list[str]:
    with database.connect() as connection:
        return [letter.job_id for letter in dead_letters.find(connection, **filters)]


def test_a_dead_letter_comes_back_with_its_payload(database: Database) -> None:
    assert add(
        database,
        "job",
        error="it broke",
        traceback="Traceback\n ...",
        attempts=5,
        versions={"jobsentinel-ml": "0.1.0"},
    )

    with database.connect() as connection:
        letter = dead_letters.get(connection, "job")
        assert dead_letters.get(connection, "unknown") is None
    assert letter == dead_letters.DeadLetter(
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


def test_a_second_letter_of_the_same_job_changes_nothing(database: Database) -> None:
    assert add(database, "job", error="first")
    assert not add(database, "job", error="second")

    with database.connect() as connection:
        (letter,) = dead_letters.find(connection)
        assert dead_letters.count(connection) == 1
    assert (letter.error, letter.payload) == ("first", None)


def test_letters_are_found_by_task_reason_and_time_newest_first(database: Database) -> None:
    add(database, "a", created_at="2026-11-20T00:00:00Z")
    add(database, "b", created_at="2026-11-21T01:00:00+01:00", reason="invalid_input")
    add(database, "c", created_at="2026-11-22T00:00:00Z", task="rerank")

    assert found(database) == ["c", "b", "a"]
    assert found(database, limit=2) == ["c", "b"]
    assert found(database, task="score") == ["b", "a"]
    assert found(database, reason="invalid_input") == ["b"]
    assert found(database, since="2026-11-21T00:00:00Z") == ["c", "b"]


def test_a_deleted_letter_may_come_again(database: Database) -> None:
    add(database, "job", error="first")

    with database.begin() as connection:
        assert dead_letters.delete(connection, "job")
        assert not dead_letters.delete(connection, "job")

    assert add(database, "job", error="second")


def test_no_error_text_can_keep_a_letter_from_being_stored(database: Database) -> None:
    assert add(database, "job", error="bad \x00 byte", traceback="file \udcff.py")

    with database.connect() as connection:
        letter = dead_letters.get(connection, "job")
    assert letter is not None
    assert (letter.error, letter.traceback) == ("bad \\u0000 byte", "file \\udcff.py")


def test_an_empty_job_id_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match=r"^job_id: "):
        add(database, "")
