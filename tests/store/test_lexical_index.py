"""The lexical index: BM25 over what the store holds now, however it came to hold it."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from store_process import empty, posting

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.reranking.lexical import bm25_scores
from jobsentinel_workers.store import Database, postings
from jobsentinel_workers.store.lexical_index import LexicalIndex
from jobsentinel_workers.store.schema import change_counter, posting_deletions

WORDS = ("nurse", "python", "driver", "ward", "c++", "c#", "night", "remote", "baker", "sales")
WRITER = """
import sys
from jobsentinel_workers.store import Database, postings
row = {"id": "theirs", "title": "t", "description": "", "content_hash": "h", "text": "ferry pilot"}
with Database.open(sys.argv[1]).begin() as connection:
    postings.upsert(connection, [row])
"""


def store(database: Database, texts: dict[str, str]) -> None:
    """Store a posting with its text for each id."""
    with database.begin() as connection:
        rows = [{**posting(id_), "text": text} for id_, text in texts.items()]
        postings.upsert(connection, rows)


def refreshed(database: Database) -> LexicalIndex:
    index = LexicalIndex(database)
    index.refresh()
    return index


def by_brute_force(texts: dict[str, str], query: str) -> list[tuple[str, float]]:
    scores = dict(zip(texts, bm25_scores(query, list(texts.values())).tolist(), strict=True))
    best = sorted(scores, key=lambda id_: (-scores[id_], id_))
    return [(id_, scores[id_]) for id_ in best if scores[id_] > 0]


def found(index: LexicalIndex, query: str, k: int = 1_000) -> list[tuple[str, float]]:
    ids, scores = index.search(query, k)
    return list(zip(ids, scores.tolist(), strict=True))


def random_texts(count: int, seed: int = 0) -> dict[str, str]:
    chance = random.Random(seed)
    return {
        f"p-{n}": " ".join(chance.choices(WORDS, k=chance.randint(0, 12))) for n in range(count)
    }


def test_a_search_finds_the_postings_that_hold_its_words(database: Database) -> None:
    store(
        database,
        {
            "a": "Senior C++ engineer, no C#",
            "b": "C# engineer for .NET",
            "c": "Nurses for the night shift",
            "d": "Vitamin C nurse nurse",
        },
    )
    index = refreshed(database)

    assert index.search("c++", 10)[0] == ["a"]
    assert set(index.search("c#", 10)[0]) == {"a", "b"}
    assert index.search(".net", 10)[0] == ["b"]
    assert index.search("c", 10)[0] == ["d"]
    assert index.search("NURSE", 10)[0] == ["d", "c"]
    assert index.search("plumber", 10)[0] == []
    assert index.search("!?", 10)[0] == []


def test_equal_scores_are_in_order_of_their_ids_and_the_cut_takes_the_first(
    database: Database,
) -> None:
    # Given equal texts that came in several batches
    ids = [f"same-{n:03}" for n in random.Random(0).sample(range(200), 200)]
    for start in range(0, 200, 40):
        store(database, dict.fromkeys(ids[start : start + 40], "a night nurse"))
    index = LexicalIndex(database)
    index.refresh()

    found_ids, scores = index.search("nurse", 77)

    assert found_ids == sorted(ids)[:77]
    assert len(set(scores.tolist())) == 1


def test_a_search_among_some_returns_these_only_with_the_same_scores(database: Database) -> None:
    store(database, random_texts(60))
    index = refreshed(database)
    everywhere = dict(found(index, "nurse c++"))

    ids, scores = index.search("nurse c++", 100, among={"p-3", "p-7", "p-8", "unknown"})

    assert set(ids) == {"p-3", "p-7", "p-8"} & everywhere.keys()
    assert scores.tolist() == [everywhere[id_] for id_ in ids]
    assert index.search("nurse", 100, among=())[0] == []


def test_an_empty_index_finds_nothing(database: Database) -> None:
    index = LexicalIndex(database)

    assert index.refresh() == 0
    ids, scores = index.search("nurse", 5)
    assert (ids, scores.shape) == ([], (0,))


def test_postings_without_a_word_are_counted_and_never_found(database: Database) -> None:
    store(database, {"a": "***", "b": "***"})
    index = refreshed(database)

    assert len(index) == 2
    assert index.search("*** nurse", 5)[0] == []


def test_a_k_below_one_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match="k: must be at least 1"):
        LexicalIndex(database).search("nurse", 0)


def test_only_what_changed_is_read_again(database: Database) -> None:
    store(database, random_texts(50))
    index = LexicalIndex(database)

    assert index.refresh() == 50
    assert index.refresh() == 0
    store(database, {"new": "nurse", "p-3": "a text of its own"})
    assert index.refresh() == 2
    assert len(index) == 51
    with database.begin() as connection:
        postings.delete(connection, ["p-4", "new"])
    assert index.refresh() == 2
    assert len(index) == 49


def test_many_small_changes_end_in_few_segments(database: Database) -> None:
    index = LexicalIndex(database)
    texts = random_texts(64)

    for id_, text in texts.items():
        store(database, {id_: text})
        index.refresh()

    assert len(index._snapshot.shelves) <= 7
    assert found(index, "nurse c++ night") == by_brute_force(texts, "nurse c++ night")


def test_a_posting_that_another_process_wrote_is_found(address: str) -> None:
    database = Database.open(address)
    store(database, {"ours": "ferry captain"})
    index = refreshed(database)

    subprocess.run([sys.executable, "-c", WRITER, address], check=True, timeout=60)

    index.refresh()
    assert index.search("ferry", 5)[0] == ["ours", "theirs"]
    database.close()


def test_a_query_as_long_as_a_book_is_answered_by_its_most_telling_words(
    database: Database,
) -> None:
    # Given a posting with a rare word among others with common ones
    store(database, {f"p-{n}": "common words of every posting" for n in range(30)})
    store(database, {"rare": "lighthouse keeper, words of every posting"})
    index = refreshed(database)

    # When the query has 50,000 words, one of them rare
    query = " ".join(["common", "words", "unknown"] * 16_667 + ["lighthouse"])

    # Then the posting with the rare word is there
    assert "rare" in index.search(query, 31)[0]


operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), st.integers(0, 50)),
        st.tuples(st.just("delete"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("refresh"), st.just(0), st.just(0)),
    ),
    max_size=30,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=operations)
def test_after_any_changes_the_index_scores_like_one_made_anew(
    database: Database, steps: list[tuple[str, int, int]]
) -> None:
    # Given an empty store and an index that is refreshed now and then
    empty(database)
    index, texts = LexicalIndex(database), dict[str, str]()

    # When postings are stored, changed and deleted in any order
    for operation, number, seed in steps:
        id_ = f"p-{number}"
        if operation == "put":
            texts[id_] = next(iter(random_texts(1, seed).values())) + " shared"
            store(database, {id_: texts[id_]})
        elif operation == "delete":
            texts.pop(id_, None)
            with database.begin() as connection:
                postings.delete(connection, [id_])
        else:
            index.refresh()
    index.refresh()

    # Then every score is the one that a comparison of all present texts gives
    assert len(index) == len(texts)
    for query in ("shared", "nurse python c++", " ".join(WORDS)):
        assert found(index, query) == by_brute_force(texts, query)


def test_searches_during_refreshes_see_one_state(database: Database) -> None:
    # Given postings that all say the same
    ids = [f"p-{number}" for number in range(100)]
    store(database, dict.fromkeys(ids, "night nurse"))
    index = refreshed(database)
    stop, mixed = threading.Event(), list[Any]()

    def search() -> None:
        while not stop.is_set():
            night, day = (index.search(word, 200)[0] for word in ("night", "nurse"))
            if len(night) not in {0, 100} or len(day) != 100:
                mixed.append((len(night), len(day)))

    # When a thread searches while all of them are changed again and again
    thread = threading.Thread(target=search)
    thread.start()
    for turn in range(6):
        store(database, dict.fromkeys(ids, "day nurse" if turn % 2 == 0 else "night nurse"))
        index.refresh()
    stop.set()
    thread.join()

    # Then no search saw some changed and some not
    assert mixed == []


def test_a_store_set_back_to_an_earlier_state_is_read_anew(database: Database) -> None:
    store(database, {"a": "night nurse", "b": "day nurse"})
    index = refreshed(database)

    # Given the store of an older backup, which knows only one posting
    with database.begin() as connection:
        postings.delete(connection, ["a"])
        connection.execute(posting_deletions.delete())
        connection.execute(update(change_counter).values(value=1))

    index.refresh()
    assert index.search("nurse", 5)[0] == ["b"]
