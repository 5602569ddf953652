"""Search by pgvector on a real Postgres: near, whole under filters, and in step with the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import create_engine, text, update
from store_process import empty, posting
from test_vector_index import (
    Model,
    by_brute_force,
    index_postings,
    operations,
    random_vectors,
)

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.filters import parse_filter
from jobsentinel_workers.store import (
    Database,
    embeddings,
    pgvector_building,
    pgvector_tables,
    posting_facts,
    postings,
)
from jobsentinel_workers.store.dense_index import DenseIndex
from jobsentinel_workers.store.pgvector_index import EXACT_UP_TO, PgVectorIndex
from jobsentinel_workers.store.schema import embeddings as embeddings_table
from jobsentinel_workers.store.vector_index import VectorIndex


@pytest.fixture
def database(make_address: Callable[[str], str]) -> Iterator[Database]:
    """An empty store on Postgres, without the extension."""
    database = Database.open(make_address("postgresql"))
    yield database
    database.close()


def describe(database: Database, ids: list[str]) -> None:
    """Give each posting facts: every second is remote, every hundredth is rare."""
    rows = [
        {"id": id_, "title": "rare" if n % 100 == 0 else "usual", "remote": n % 2 == 0}
        for n, id_ in enumerate(ids)
    ]
    with database.begin() as connection:
        posting_facts.describe(connection, rows)


def ready(database: Database, dimensions: int) -> PgVectorIndex:
    """Return the index by pgvector over what the store holds."""
    assert pgvector_building.build(database, "e")
    return PgVectorIndex(database, "e", dimensions)


def index_scans(database: Database) -> int:
    """Return how often the HNSW index was asked."""
    with database.connect() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with database.connect() as connection:
        asked = text("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = :name")
        found = connection.execute(asked, {"name": pgvector_tables.index_name("e")})
        return int(found.scalar_one())


def test_nearly_all_of_the_nearest_are_found_by_the_index(database: Database) -> None:
    # Given some thousand vectors without any order, the hardest there are to search
    vectors = random_vectors(2_000, 32)
    index_postings(database, vectors)
    index, exact = ready(database, 32), VectorIndex(database, "e")
    exact.refresh()

    # When the same is asked of both indexes
    found = wanted = 0
    for query in np.random.default_rng(1).normal(size=(20, 32)):
        ids, cosines = index.search(query, 50)
        expected, _ = exact.search(query, 2_000)
        found += len(set(ids) & set(expected[:50]))
        wanted += 50

        # Then each answer is as long as asked for, in order, with the cosines of the exact one
        assert len(ids) == len(set(ids)) == 50
        order = {id_: n for n, id_ in enumerate(expected)}
        assert [order[id_] for id_ in ids] == sorted(order[id_] for id_ in ids)
        assert cosines.dtype == np.float32
        rows = np.array([vectors[id_] for id_ in ids])
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
        assert cosines == pytest.approx(rows @ query / lengths, abs=1e-5)

    # And nearly all of the nearest are there
    assert found / wanted > 0.98
    assert index_scans(database) > 0
    assert len(index) == 2_000


@pytest.mark.parametrize("exact_up_to", [0, EXACT_UP_TO])
def test_a_filter_gets_all_that_it_matches(
    database: Database, exact_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given postings of which one in a hundred is rare, far from what is asked for or near
    monkeypatch.setattr("jobsentinel_workers.store.pgvector_index.EXACT_UP_TO", exact_up_to)
    vectors = random_vectors(1_000, 16)
    index_postings(database, vectors)
    describe(database, list(vectors))
    index = ready(database, 16)
    rare = [id_ for n, id_ in enumerate(vectors) if n % 100 == 0]
    query = np.random.default_rng(2).normal(size=16)

    # Then a filter that few match finds all of them, by condition or by ids, in their order
    expected = by_brute_force({id_: vectors[id_] for id_ in rare}, query, 10)
    assert index.search(query, 50, where=parse_filter('title = "rare"'))[0] == expected
    assert index.search(query, 50, among=[*rare, "unknown"])[0] == expected
    # And one that many match finds as many as were asked for, and only such
    ids, _ = index.search(query, 200, where=parse_filter("remote = true"))
    assert len(ids) == 200
    assert {int(id_.removeprefix("p-")) % 2 for id_ in ids} == {0}
    assert index.search(query, 9, where=parse_filter('title = "none"'))[0] == []
    assert index.search(query, 9, among=[])[0] == []
    assert index.count(parse_filter("remote = true")) == 500


def test_both_indexes_answer_a_filter_alike(database: Database) -> None:
    vectors = random_vectors(300, 8)
    index_postings(database, vectors)
    describe(database, list(vectors))
    where = parse_filter("remote = true")
    index, exact = ready(database, 8), VectorIndex(database, "e")
    exact.refresh()

    for query in np.random.default_rng(3).normal(size=(5, 8)):
        assert index.search(query, 20, where=where)[0] == exact.search(query, 20, where=where)[0]
    assert index.count(where) == exact.count(where) == 150


def test_updates_and_removals_are_seen_at_once(database: Database) -> None:
    # Given an index that is ready
    index_postings(database, {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0]})
    index = ready(database, 2)
    assert index.search([1.0, 0.0], 5)[0] == ["a", "c", "b"]

    # When a posting is removed, one gets another text, one comes, and one has no vector yet
    with database.begin() as connection:
        postings.delete(connection, ["a"])
        postings.upsert(connection, [posting("later")])
    index_postings(database, {"b": [1.0, 0.1], "new": [0.9, 0.2]}, content="edited")

    # Then the next search sees it
    assert index.search([1.0, 0.0], 5)[0] == ["b", "new", "c"]
    assert len(index) == 3
    assert index.refresh() == 0
    with database.begin() as connection:
        embeddings.put_many(connection, "e", {"hash-of-later": [5.0, 0.0]})
    assert index.search([1.0, 0.0], 1)[0] == ["later"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=operations)
def test_after_any_changes_a_search_finds_what_the_store_holds(
    database: Database, steps: list[tuple[str, int, int]]
) -> None:
    # Given an empty store whose table and index are there
    empty(database)
    model = Model(database)
    with database.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
        pgvector_tables.create_table(connection, "e", 6)
        pgvector_tables.create_index(connection, "e")
    index = PgVectorIndex(database, "e", 6)

    # When it changes in any way
    for operation, number, seed in steps:
        if operation == "refresh":
            index.refresh()
        else:
            model.do(operation, number, seed)

    # Then a search answers like a full comparison, without a refresh
    query = np.arange(1.0, 7.0)
    assert index.search(query, 10)[0] == by_brute_force(model.expected(), query, 10)
    assert len(index) == len(model.expected())


def test_a_rolled_back_writing_leaves_no_vector(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0]})
    index = ready(database, 2)

    def write_and_break() -> None:
        with database.begin() as connection:
            embeddings.put_many(connection, "e", {"b": [1.0, 0.0]})
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_and_break()

    assert pgvector_table_size(database) == 1
    assert index.refresh() == 0


def test_what_an_older_version_wrote_is_taken_over_by_a_refresh(database: Database) -> None:
    # Given embeddings that were written without a look at pgvector, more than one copying takes
    index_postings(database, {"a": [1.0, 0.0]})
    index = ready(database, 2)
    rows = [
        {"encoder_id": "e", "content_hash": f"old-{n}", "dim": 2, "change_seq": 10_000 + n}
        for n in range(1_500)
    ]
    vector = np.array([0.0, 2.0], dtype=np.float32).tobytes()
    with database.begin() as connection:
        connection.execute(embeddings_table.insert(), [{**row, "vector": vector} for row in rows])
        postings.upsert(connection, [{**posting("b"), "content_hash": "old-1499"}])

    assert index.refresh() == 1_500
    assert index.search([0.0, 1.0], 1)[0] == ["b"]


def test_vectors_of_any_length_zeros_and_shared_texts_are_found(database: Database) -> None:
    index_postings(database, {"a": [3e-20, 0], "b": [0, 5e20], "zero": [0, 0]})
    with database.begin() as connection:
        postings.upsert(connection, [{**posting("a2"), "content_hash": "a-"}])
    index = ready(database, 2)

    ids, cosines = index.search([2e18, 1e18], 4)

    assert ids == ["a", "a2", "b", "zero"]
    assert cosines.tolist() == pytest.approx([2 / 5**0.5, 2 / 5**0.5, 1 / 5**0.5, 0.0])


def test_other_dimensions_are_refused_wherever_they_come_in(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0]})
    index = ready(database, 2)

    with pytest.raises(InvalidInput, match="query: has 3 dimensions, the index of e 2"):
        index.search([1.0, 0.0, 0.0], 1)
    with (
        database.begin() as connection,
        pytest.raises(InvalidInput, match=r"vectors\.b: has 3 dimensions, others 2"),
    ):
        embeddings.put_many(connection, "e", {"b": [1.0, 0.0, 0.0]})


@pytest.mark.parametrize(
    "arguments", [([0.0, 0.0], 1), ([1.0, 0.0], 0), ([1.0, float("nan")], 1), ([[1.0, 0.0]], 1)]
)
def test_a_search_that_makes_no_sense_is_refused(
    database: Database, arguments: tuple[Any, int]
) -> None:
    index = PgVectorIndex(database, "e", 2)

    with pytest.raises(InvalidInput):
        index.search(*arguments)
    with pytest.raises(InvalidInput, match="where: cannot narrow"):
        index.search([1.0, 0.0], 1, among=["a"], where=parse_filter("remote = true"))


def test_above_the_number_set_pgvector_takes_over_and_memory_is_let_go(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    # Given an index in memory up to three postings
    caplog.set_level(logging.INFO)
    vectors = random_vectors(3, 4)
    index_postings(database, vectors)
    index = DenseIndex(database, "e", pgvector_above=3)
    index.refresh()
    assert not index.uses_pgvector

    # When a fourth comes, memory answers until pgvector is ready
    vectors |= {"fourth": [1.0, 0.0, 0.0, 0.0]}
    index_postings(database, {"fourth": vectors["fourth"]})
    index.refresh()
    assert index.search(vectors["fourth"], 4)[0] == by_brute_force(
        vectors, np.array(vectors["fourth"]), 4
    )
    wait_until(lambda: index.refresh() >= 0 and index.uses_pgvector)

    # Then it answers the same, and so it does in a process that starts now
    later = DenseIndex(database, "e", pgvector_above=3)
    later.refresh()
    assert later.uses_pgvector
    for each in (index, later):
        expected = by_brute_force(vectors, np.ones(4), 4)
        assert (each.search(np.ones(4), 4)[0], len(each)) == (expected, 4)
    assert "pgvector.serves encoder=e" in caplog.text


def test_none_is_never_and_zero_is_as_soon_as_there_is_a_posting(database: Database) -> None:
    never, always = DenseIndex(database, "e"), DenseIndex(database, "e", pgvector_above=0)
    for index in (never, always):
        index.refresh()
        assert (index.uses_pgvector, len(index)) == (False, 0)

    index_postings(database, {"a": [1.0, 0.0]})
    wait_until(lambda: always.refresh() >= 0 and always.uses_pgvector)
    never.refresh()

    assert not never.uses_pgvector
    assert never.search([1.0, 0.0], 1)[0] == always.search([1.0, 0.0], 1)[0] == ["a"]


def test_sqlite_stays_in_memory(make_address: Callable[[str], str]) -> None:
    database = Database.open(make_address("sqlite"))
    index_postings(database, {"a": [1.0, 0.0]})
    index = DenseIndex(database, "e", pgvector_above=0)

    index.refresh()

    assert not index.uses_pgvector
    assert index.search([1.0, 0.0], 1)[0] == ["a"]
    database.close()


def test_without_the_right_to_make_the_extension_memory_goes_on_and_says_so(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a role that may write the store, but may not make extensions
    index_postings(database, {"a": [1.0, 0.0]})
    modest = Database.open(modest_address(database), migrate=False)
    index = DenseIndex(modest, "e", pgvector_above=0)

    # When the index should move
    index.refresh()
    wait_until(lambda: "pgvector.missing" in caplog.text)

    # Then it says what to do, and goes on in memory without another try
    index.refresh()
    assert not index.uses_pgvector
    assert index.search([1.0, 0.0], 1)[0] == ["a"]
    assert "have an administrator run `CREATE EXTENSION vector`" in caplog.text
    assert caplog.text.count("pgvector.missing") == 1
    modest.close()


def test_vectors_too_wide_for_an_index_stay_in_memory(database: Database) -> None:
    index_postings(database, random_vectors(1, 2_001))

    with pytest.raises(pgvector_building.PgvectorMissing, match="2,001 dimensions are over"):
        pgvector_building.build(database, "e")


def test_a_damaged_embedding_is_named_before_anything_serves(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0], "b": [0.0, 1.0]})
    damaged = np.array([1.0, np.nan], dtype=np.float32).tobytes()
    with database.begin() as connection:
        chosen = embeddings_table.c.content_hash == "b-"
        connection.execute(update(embeddings_table).where(chosen).values(vector=damaged))

    with pytest.raises(embeddings.CorruptVector, match=r"NaN or infinity \(content hash b-\)"):
        pgvector_building.build(database, "e")
    with database.connect() as connection:
        state = pgvector_tables.look(connection, "e")
    assert state is not None
    assert not state.is_ready


def test_one_process_builds_and_the_next_finds_it_done(database: Database) -> None:
    index_postings(database, random_vectors(50, 4))
    with database.connect() as connection:
        key = pgvector_building._lock_key("e")
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
        assert not pgvector_building.build(database, "e")

    assert pgvector_building.build(database, "e")
    assert pgvector_building.build(database, "e")
    assert pgvector_table_size(database) == 50


def test_a_building_that_was_killed_is_gone_on_with(database: Database) -> None:
    # Given a process that copied a part and came no further
    vectors = random_vectors(30, 4)
    index_postings(database, vectors)
    with database.begin() as connection:
        connection.execute(text("CREATE EXTENSION vector"))
        pgvector_tables.create_table(connection, "e", 4)
        assert pgvector_tables.follow(connection, "e", limit=10) == 10

    # Then another copies the rest, and all are found
    index = ready(database, 4)
    assert pgvector_table_size(database) == 30
    assert index.search(np.ones(4), 30)[0] == by_brute_force(vectors, np.ones(4), 30)


def pgvector_table_size(database: Database) -> int:
    with database.connect() as connection:
        name = pgvector_tables.table_of("e").name
        return int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())


def modest_address(database: Database) -> str:
    """Return the address of the same store for a role with the rights to its tables only."""
    url = database._url
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        role = f"modest_{url.database}"
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
    engine.dispose()
    return url.set(username=role).render_as_string(hide_password=False)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
