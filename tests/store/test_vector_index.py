"""The in-memory index: exact, in step with the store, and steady while it is refreshed."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from store_process import empty, posting

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.filters import parse_filter
from jobsentinel_workers.store import Database, VectorIndex, embeddings, posting_facts, postings
from jobsentinel_workers.store.schema import change_counter, posting_deletions
from jobsentinel_workers.store.schema import embeddings as embeddings_table

Vectors = dict[str, Any]


def index_postings(database: Database, vectors: Vectors, content: str = "") -> None:
    """Store a posting and its embedding for each id, with a text that ``content`` tells apart."""
    hashes = {id_: f"{id_}-{content}" for id_ in vectors}
    with database.begin() as connection:
        rows = [{**posting(id_), "content_hash": hashes[id_]} for id_ in vectors]
        postings.upsert(connection, rows)
        put = {hashes[id_]: vector for id_, vector in vectors.items()}
        embeddings.put_many(connection, "e", put)


def refreshed(database: Database) -> VectorIndex:
    index = VectorIndex(database, "e")
    index.refresh()
    return index


def random_vectors(count: int, dim: int, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return {f"p-{number}": row for number, row in enumerate(rows)}


def by_brute_force(vectors: Vectors, query: Any, k: int) -> list[str]:
    def cosine(id_: str) -> float:
        vector = np.asarray(vectors[id_], dtype=np.float64)
        return float(vector @ query / np.linalg.norm(vector) / np.linalg.norm(query))

    return sorted(vectors, key=lambda id_: (-cosine(id_), id_))[:k]


def test_the_nearest_are_those_of_a_sorted_full_comparison(database: Database) -> None:
    vectors = random_vectors(1_500, 24)
    index_postings(database, vectors)
    index = refreshed(database)

    for query in np.random.default_rng(1).normal(size=(20, 24)):
        ids, cosines = index.search(query, 100)
        assert ids == by_brute_force(vectors, query, 100)
        assert cosines.dtype == np.float32
        assert (np.diff(cosines) <= 0).all()
        assert (np.abs(cosines) <= 1 + 1e-6).all()


def test_the_length_of_vectors_and_query_does_not_matter(database: Database) -> None:
    index_postings(database, {"a": [3e-20, 0], "b": [0, 5e20], "zero": [0, 0]})
    index = refreshed(database)

    ids, cosines = index.search([2e18, 1e18], 3)

    assert ids == ["a", "b", "zero"]
    assert cosines.tolist() == pytest.approx([2 / 5**0.5, 1 / 5**0.5, 0.0])


def test_equal_cosines_are_in_order_of_their_ids(database: Database) -> None:
    # Given 200 equal vectors among others, stored in another order than their ids
    same = random_vectors(1, 384)["p-0"]
    ids = [f"same-{number:03}" for number in np.random.default_rng(0).permutation(200)]
    index_postings(database, random_vectors(300, 384, seed=2) | dict.fromkeys(ids, same))

    # Then a cut through them takes the first ids, all with one cosine
    found, cosines = refreshed(database).search(same, 77)
    assert found == sorted(ids)[:77]
    assert len(set(cosines.tolist())) == 1


@pytest.mark.parametrize("count", [0, 1, 90, 101, 400, 1_200, 1_500])
def test_a_search_among_given_ids_looks_at_these_only(database: Database, count: int) -> None:
    # Given an index, and ids of which some are not in it
    vectors = random_vectors(1_500, 24)
    index_postings(database, vectors)
    index, chosen = refreshed(database), np.random.default_rng(count).permutation(1_500)[:count]
    among = {f"p-{number}" for number in chosen}

    # Then the nearest are those of a full comparison of these, in whatever order they are named
    for query in np.random.default_rng(1).normal(size=(5, 24)):
        expected = by_brute_force({id_: vectors[id_] for id_ in among}, query, 100)
        ids, cosines = index.search(query, 100, among=among | {"unknown"})
        assert ids == expected
        assert len(cosines) == len(ids)
        assert index.search(query, 100, among=[*sorted(among), *among])[0] == expected


def test_equal_cosines_among_given_ids_are_in_order_of_their_ids(database: Database) -> None:
    same = random_vectors(1, 384)["p-0"]
    ids = [f"same-{number:03}" for number in np.random.default_rng(0).permutation(200)]
    index_postings(database, random_vectors(300, 384, seed=2) | dict.fromkeys(ids, same))
    index = refreshed(database)

    for among in (ids[:150], [*ids[:150], *(f"p-{number}" for number in range(300))]):
        found, cosines = index.search(same, 77, among=among)
        assert found == sorted(ids[:150])[:77]
        assert len(set(cosines.tolist())) == 1


def test_the_same_ids_are_looked_up_anew_after_a_refresh(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0]})
    index, among = refreshed(database), frozenset({"a", "c", "new"})
    assert index.search([1.0, 0.0], 3, among=among)[0] == ["a", "c"]
    assert index.search([0.0, 1.0], 3, among=among)[0] == ["c", "a"]

    with database.begin() as connection:
        postings.delete(connection, ["a"])
    index_postings(database, {"new": [1.0, 0.0]})
    index.refresh()

    assert index.search([1.0, 0.0], 3, among=among)[0] == ["new", "c"]
    assert index.search([1.0, 0.0], 3, among=frozenset({"b"}))[0] == ["b"]


def test_ids_that_have_left_the_index_are_not_found_among_others(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0]})
    index = refreshed(database)
    with database.begin() as connection:
        postings.delete(connection, ["a"])
    index.refresh()

    assert index.search([1.0, 0.0], 3, among=["a", "c"])[0] == ["c"]
    assert index.search([1.0, 0.0], 3, among=["a"])[0] == []


def test_an_empty_index_finds_nothing_and_a_small_one_what_it_has(database: Database) -> None:
    index = VectorIndex(database, "e")
    assert index.refresh() == 0
    ids, cosines = index.search([1.0, 0.0], 5)
    assert (ids, cosines.shape) == ([], (0,))

    index_postings(database, {"a": [1.0, 0.0]})
    assert index.refresh() == 1
    assert index.search([1.0, 0.0], 5)[0] == ["a"]


@pytest.mark.parametrize(
    ("query", "k", "field"),
    [
        ([1.0], 1, "query"),
        ([[1.0, 0.0]], 1, "query"),
        ([0.0, 0.0], 1, "query"),
        ([float("nan"), 1.0], 1, "query"),
        ([float("inf"), 1.0], 1, "query"),
        ([1.0, 0.0], 0, "k"),
    ],
)
def test_a_query_without_direction_is_refused(
    database: Database, query: Any, k: int, field: str
) -> None:
    index_postings(database, {"a": [1.0, 0.0]})
    index = refreshed(database)

    with pytest.raises(InvalidInput) as refused:
        index.search(query, k)
    assert refused.value.field == field


def test_only_what_changed_is_read_again(database: Database) -> None:
    index_postings(database, random_vectors(50, 4))
    index = VectorIndex(database, "e")

    assert index.refresh() == 50
    assert index.refresh() == 0
    index_postings(database, {"new": [1, 0, 0, 0], "p-3": [0, 1, 0, 0]}, content="edited")
    assert index.refresh() == 2
    assert len(index) == 51


def test_an_embedding_that_comes_later_than_its_posting_is_found(database: Database) -> None:
    with database.begin() as connection:
        postings.upsert(connection, [posting("p")])
    index = refreshed(database)
    assert len(index) == 0

    with database.begin() as connection:
        embeddings.put_many(connection, "other", {"hash-of-p": [1.0, 2.0, 3.0]})
        embeddings.put_many(connection, "e", {"hash-of-p": [0.0, 1.0]})

    assert index.refresh() == 1
    assert index.search([0.0, 1.0], 1)[0] == ["p"]


def test_a_posting_whose_new_text_has_no_embedding_yet_leaves_the_index(
    database: Database,
) -> None:
    index_postings(database, {"a": [1.0, 0.0], "b": [0.0, 1.0]})
    index = refreshed(database)

    with database.begin() as connection:
        postings.upsert(connection, [{**posting("a"), "content_hash": "not-encoded-yet"}])

    assert index.refresh() == 1
    assert index.search([1.0, 0.0], 2)[0] == ["b"]


def test_postings_with_the_same_text_share_an_embedding(database: Database) -> None:
    with database.begin() as connection:
        rows = [{**posting(id_), "content_hash": "same"} for id_ in ("a", "b")]
        postings.upsert(connection, rows)
        embeddings.put_many(connection, "e", {"same": [1.0, 0.0]})

    assert refreshed(database).search([1.0, 0.0], 5)[0] == ["a", "b"]


operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), st.integers(0, 50)),
        st.tuples(st.just("edit_only"), st.integers(0, 9), st.integers(0, 50)),
        st.tuples(st.just("embed_only"), st.integers(0, 9), st.integers(0, 50)),
        st.tuples(st.just("delete"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("refresh"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class Model:
    """What the index must hold: for each posting its text, for each text its vector."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.texts: dict[str, str] = {}
        self.vectors: Vectors = {}

    def do(self, operation: str, number: int, seed: int) -> None:
        id_, content = f"p-{number}", f"text-{seed}"
        with self.database.begin() as connection:
            if operation in {"put", "edit_only"}:
                self.texts[id_] = content
                postings.upsert(connection, [{**posting(id_), "content_hash": content}])
            if operation in {"put", "embed_only"}:
                self.vectors[content] = random_vectors(1, 6, seed)["p-0"]
                embeddings.put_many(connection, "e", {content: self.vectors[content]})
            if operation == "delete":
                self.texts.pop(id_, None)
                postings.delete(connection, [id_])

    def expected(self) -> Vectors:
        return {i: self.vectors[text] for i, text in self.texts.items() if text in self.vectors}


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=operations)
def test_after_any_changes_the_index_is_what_the_store_holds(
    database: Database, steps: list[tuple[str, int, int]]
) -> None:
    # Given an empty store and an index that is refreshed now and then
    empty(database)
    model, index = Model(database), VectorIndex(database, "e")
    for operation, number, seed in steps:
        if operation == "refresh":
            index.refresh()
        else:
            model.do(operation, number, seed)
    index.refresh()

    # Then it answers like a full comparison with what the store holds
    query = np.arange(1.0, 7.0)
    assert index.search(query, 10)[0] == by_brute_force(model.expected(), query, 10)
    assert len(index) == len(model.expected())


def test_growth_beyond_its_first_room_loses_nothing(database: Database) -> None:
    vectors = random_vectors(2_600, 3)
    index, ids = VectorIndex(database, "e"), list(vectors)
    for start in range(0, len(ids), 650):
        index_postings(database, {id_: vectors[id_] for id_ in ids[start : start + 650]})
        index.refresh()

    assert len(index) == len(vectors)
    query = np.array([0.3, -0.2, 0.9])
    assert index.search(query, 300)[0] == by_brute_force(vectors, query, 300)


def test_searches_during_refreshes_see_whole_snapshots(database: Database) -> None:
    # Given an index in which all vectors always point the same way, forth or back
    forth, back = [1.0, 0.0], [-1.0, 0.0]
    ids = [f"p-{number}" for number in range(300)]
    index_postings(database, dict.fromkeys(ids, forth), content="0")
    index = refreshed(database)
    stop, mixed = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            found, cosines = index.search(forth, len(ids))
            if sorted(found) != sorted(ids) or len(set(cosines.tolist())) != 1:
                mixed.append((found, cosines))

    # When threads search while all of them are turned round again and again
    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(1, 6):
        index_postings(database, dict.fromkeys(ids, back if turn % 2 else forth), str(turn))
        index.refresh()
    stop.set()
    for thread in threads:
        thread.join()

    # Then no search saw some turned and some not
    assert mixed == []


def test_a_store_set_back_to_an_earlier_state_is_read_anew(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0], "b": [0.0, 1.0]})
    index = refreshed(database)

    # Given the store of an older backup, which knows only one posting
    with database.begin() as connection:
        postings.delete(connection, ["a"])
        connection.execute(posting_deletions.delete())
        connection.execute(update(change_counter).values(value=2))

    index.refresh()
    assert index.search([1.0, 1.0], 5)[0] == ["b"]


def test_a_damaged_embedding_stops_the_refresh_and_keeps_the_old_index(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0]})
    index = refreshed(database)

    # Given embeddings of one encoder with different dimensions
    index_postings(database, {"b": [1.0, 0.0, 0.0]})

    with pytest.raises(embeddings.CorruptVector, match="vectors of 3 and 2 dimensions"):
        index.refresh()
    assert index.search([1.0, 0.0], 5)[0] == ["a"]


def test_an_embedding_that_is_not_finite_stops_the_refresh_by_its_name(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0]})
    index = refreshed(database)
    index_postings(database, {"b": [0.0, 1.0]})
    damaged = np.array([np.nan, 1.0], dtype=np.float32).tobytes()
    with database.begin() as connection:
        chosen = embeddings_table.c.content_hash == "b-"
        connection.execute(update(embeddings_table).where(chosen).values(vector=damaged))

    with pytest.raises(embeddings.CorruptVector, match=r"NaN or infinity \(content hash b-\)"):
        index.refresh()
    assert index.search([1.0, 0.0], 5)[0] == ["a"]


def test_a_filter_is_asked_of_the_store(database: Database) -> None:
    index_postings(database, {"a": [1.0, 0.0], "b": [0.0, 1.0]})
    with database.begin() as connection:
        facts = [{"id": "a", "remote": False}, {"id": "b", "remote": True}]
        posting_facts.describe(connection, facts)
    index, where = refreshed(database), parse_filter("remote = true")

    assert index.search([1.0, 0.0], 5, where=where)[0] == ["b"]
    assert index.count(where) == 1
    with pytest.raises(InvalidInput, match="where: cannot narrow"):
        index.search([1.0, 0.0], 5, among=["a"], where=where)
