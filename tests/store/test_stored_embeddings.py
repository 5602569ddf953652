"""The embedding cache."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sqlalchemy import update

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, embeddings
from jobsentinel_workers.store.schema import embeddings as table

_NUMBERS = itertools.count()

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
vectors = st.integers(1, 400).flatmap(lambda d: arrays(np.float32, d, elements=numbers))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(vector=vectors)
def test_a_vector_comes_back_bit_by_bit(
    database: Database, vector: npt.NDArray[np.float32]
) -> None:
    encoder_id = f"encoder-{next(_NUMBERS)}"
    with database.begin() as connection:
        assert embeddings.put_many(connection, encoder_id, {"hash": vector}) == 1
    with database.connect() as connection:
        found = embeddings.get_many(connection, encoder_id, ["hash", "unknown"])

    assert list(found) == ["hash"]
    assert found["hash"].dtype == np.float32
    assert found["hash"].tobytes() == vector.tobytes()


def test_a_vector_that_is_there_stays(database: Database) -> None:
    with database.begin() as connection:
        embeddings.put_many(connection, "e", {"a": [1.0, 2.0]})
        assert embeddings.put_many(connection, "e", {"a": [3.0, 4.0], "b": [5.0, 6.0]}) == 1

    with database.connect() as connection:
        found = embeddings.get_many(connection, "e", ["a", "b"])
    assert {key: vector.tolist() for key, vector in found.items()} == {"a": [1, 2], "b": [5, 6]}


def test_encoders_do_not_share_vectors(database: Database) -> None:
    with database.begin() as connection:
        embeddings.put_many(connection, "e", {"a": [1.0]})

    with database.connect() as connection:
        assert embeddings.get_many(connection, "other", ["a"]) == {}
        assert embeddings.count(connection, "other") == 0
        assert embeddings.count(connection, "e") == 1


def test_more_hashes_than_a_statement_can_name_are_found(database: Database) -> None:
    many = {f"h-{number}": [float(number)] for number in range(1_234)}
    with database.begin() as connection:
        assert embeddings.put_many(connection, "e", many) == len(many)
        assert len(embeddings.get_many(connection, "e", many)) == len(many)


def test_nothing_asked_is_nothing_found(database: Database) -> None:
    with database.begin() as connection:
        assert embeddings.put_many(connection, "e", {}) == 0
        assert embeddings.get_many(connection, "e", []) == {}


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"a": [float("nan")]}, "vectors.a"),
        ({"a": [float("inf")]}, "vectors.a"),
        ({"a": [1e39]}, "vectors.a"),
        ({"a": [[1.0]]}, "vectors.a"),
        ({"a": []}, "vectors.a"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "vectors.b"),
        ({"": [1.0]}, "content_hash"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_what_is_no_finite_vector_is_refused(
    database: Database, bad: dict[str, Any], field: str
) -> None:
    with database.begin() as connection:
        with pytest.raises(InvalidInput) as refused:
            embeddings.put_many(connection, "e", bad)
        assert refused.value.field == field
        assert embeddings.count(connection, "e") == 0


def test_a_vector_that_lost_bytes_is_reported(database: Database) -> None:
    with database.begin() as connection:
        embeddings.put_many(connection, "e", {"a": [1.0, 2.0]})
        connection.execute(update(table).values(vector=b"\x00\x00\x80\x3f"))

    with (
        database.connect() as connection,
        pytest.raises(embeddings.CorruptVector, match="2 dimensions has 4 bytes"),
    ):
        embeddings.get_many(connection, "e", ["a"])


def test_a_vector_that_is_not_finite_is_reported(database: Database) -> None:
    with database.begin() as connection:
        embeddings.put_many(connection, "e", {"a": [1.0, 2.0]})
        damaged = np.array([1.0, np.nan], dtype=np.float32).tobytes()
        connection.execute(update(table).values(vector=damaged))

    with (
        database.connect() as connection,
        pytest.raises(embeddings.CorruptVector, match=r"NaN or infinity \(content hash a\)"),
    ):
        embeddings.get_many(connection, "e", ["a"])
