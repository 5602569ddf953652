"""Results and the commit of jobs."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobsentinel.contract.errors import InvalidInput, LeaseLost
from jobsentinel_workers.store import Database, results

_NUMBERS = itertools.count()

texts = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=10)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
payloads = st.dictionaries(
    texts,
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner)
    ),
    max_size=4,
)


def commit(database: Database, job_id: str, token: int, **payload: Any) -> bool:
    """Do what a worker does at the end of a job with one item."""
    with database.begin() as connection:
        first = results.commit_job(connection, job_id, token)
        if first:
            rows = [("p", payload)]
            results.save(connection, job_id, "score", rows, fencing_token=token)
        return first


def payloads_of(database: Database, job_id: str) -> list[dict[str, Any]]:
    with database.connect() as connection:
        return [result.payload for result in results.of_job(connection, job_id)]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(payload=payloads)
def test_a_payload_comes_back_value_for_value_and_type_for_type(
    database: Database, payload: dict[str, Any]
) -> None:
    job_id = f"job-{next(_NUMBERS)}"
    with database.begin() as connection:
        results.save(connection, job_id, "score", [("p", payload)], fencing_token=1, model=payload)
    with database.connect() as connection:
        (found,) = results.of_job(connection, job_id)

    assert repr(found.payload) == repr(json.loads(json.dumps(payload)))
    assert repr(found.model) == repr(found.payload)


def test_a_second_commit_changes_nothing(database: Database) -> None:
    assert commit(database, "job", 1, answer="first")
    assert not commit(database, "job", 1, answer="second")
    assert not commit(database, "job", 2, answer="third")

    assert payloads_of(database, "job") == [{"answer": "first"}]


def test_even_unasked_a_second_save_changes_nothing(database: Database) -> None:
    with database.begin() as connection:
        assert results.save(connection, "j", "score", [("a", {"n": 1})], fencing_token=1) == 1
        rows = [("a", {"n": 2}), ("b", {"n": 3})]
        assert results.save(connection, "j", "score", rows, fencing_token=2) == 1

    assert payloads_of(database, "j") == [{"n": 1}, {"n": 3}]


def test_a_lower_token_than_the_one_that_committed_is_refused(database: Database) -> None:
    # Given a worker that took over with token 2 and committed
    assert commit(database, "job", 2, answer="of the new owner")

    # When the first owner wakes up; then it has lost its lease and nothing is changed
    with pytest.raises(LeaseLost, match="token 1 is older than 2"):
        commit(database, "job", 1, answer="of the old owner")
    assert payloads_of(database, "job") == [{"answer": "of the new owner"}]


def test_a_token_is_seen_even_if_it_came_after_the_commit(database: Database) -> None:
    assert commit(database, "job", 1)
    assert not commit(database, "job", 3)

    with pytest.raises(LeaseLost):
        commit(database, "job", 2)


def test_a_rolled_back_commit_may_be_made_again(database: Database) -> None:
    with database.begin() as connection:
        assert results.commit_job(connection, "job", 1)
        connection.rollback()

    with database.connect() as connection:
        assert not results.committed(connection, "job")
    assert commit(database, "job", 1)
    with database.connect() as connection:
        assert results.committed(connection, "job")


def test_a_job_s_results_keep_their_order(database: Database) -> None:
    ids = ["c", "a", "b"]
    with database.begin() as connection:
        rows = [(id_, {"id": id_}) for id_ in ids]
        results.save(connection, "job", "score", rows, fencing_token=7, model={"name": "m"})

    with database.connect() as connection:
        found = results.of_job(connection, "job")
    assert [result.item_id for result in found] == ids
    assert {(result.task, result.fencing_token) for result in found} == {("score", 7)}
    assert [result.model for result in found] == [{"name": "m"}] * 3


def test_the_latest_result_of_a_posting_is_the_newest_of_its_task(database: Database) -> None:
    with database.begin() as connection:
        for number, task in enumerate(["score", "score", "rerank"]):
            rows = [(id_, {"n": number}) for id_ in ("p", "q")]
            results.save(connection, f"job-{number}", task, rows, fencing_token=1)
        results.save(connection, "job-3", "score", [("q", {"n": 3})], fencing_token=1)

    with database.connect() as connection:
        found = results.latest(connection, ["p", "q", "unknown"], "score")
    assert {id_: result.payload["n"] for id_, result in found.items()} == {"p": 1, "q": 3}


def test_results_are_listed_since_a_number_by_task_and_posting(database: Database) -> None:
    with database.begin() as connection:
        for number in range(6):
            task = "score" if number % 2 else "rerank"
            rows = [("p", {"n": number}), ("q", {"n": number})]
            results.save(connection, f"job-{number}", task, rows, fencing_token=1)

    with database.connect() as connection:
        everything = results.find(connection)
        rest = results.find(connection, since=everything[3].change_seq, limit=3)
        chosen = results.find(connection, task="score", posting_id="q")
        assert len(everything) == results.count(connection) == 12
        assert rest == everything[4:7]
        assert [(each.item_id, each.payload["n"]) for each in chosen] == [
            ("q", 1),
            ("q", 3),
            ("q", 5),
        ]
        assert results.count(connection, task="score", posting_id="q") == 3
        assert list(results.iterate(connection, task="rerank")) == [
            each for each in everything if each.task == "rerank"
        ]


def test_iterating_goes_beyond_one_page(database: Database) -> None:
    with database.begin() as connection:
        rows: list[tuple[str, dict[str, Any]]] = [(f"p-{number}", {}) for number in range(1_001)]
        results.save(connection, "job", "score", rows, fencing_token=1)

    with database.connect() as connection:
        assert [each.item_id for each in results.iterate(connection)] == [id_ for id_, _ in rows]


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([("p", {"score": float("nan")})], "results.0.payload.score"),
        ([("p", {}), ("", {})], "results.1.item_id"),
        ([("p", {"text": ["\x00"]})], "results.0.payload.text.0"),
    ],
)
def test_a_result_that_cannot_be_stored_is_refused(
    database: Database, rows: list[tuple[str, dict[str, Any]]], field: str
) -> None:
    with database.begin() as connection:
        with pytest.raises(InvalidInput) as refused:
            results.save(connection, "job", "score", rows, fencing_token=1)
        assert refused.value.field == field
        assert results.save(connection, "job", "score", [], fencing_token=1) == 0
