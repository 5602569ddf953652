"""Ranking stored postings and sent candidates: found by words or meaning, filtered, told why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from jobsentinel import Producer, Settings
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.requests import RerankRequest
from jobsentinel.contract.results import RerankResult
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.inference.ranking import Ranking
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.store import Database, postings

JOBS: list[dict[str, Any]] = [
    {"id": "icu", "title": "ICU nurse", "location": "Leeds", "company": "St Mary", "remote": False},
    {"id": "triage", "title": "Telephone triage nurse", "remote": True},
    {"id": "driver", "title": "Truck driver, long haul", "remote": False},
    {"id": "backend", "title": "Backend engineer", "description": "Python and PostgreSQL."},
    {"id": "embedded", "title": "Embedded engineer", "description": "C++ and Zephyr RTOS."},
    {"id": "baker", "title": "Baker", "description": "Bread at four in the morning."},
]
COPIED = (
    "We look for a barista who knows latte art, opens the shop at six and closes the till. "
    "You greet guests, keep the grinder clean, order beans and train new colleagues on the bar. "
    "Shifts change weekly, tips are shared, and a meal is free on each day that you work."
)
WRITER = """
import sys
from jobsentinel_workers.store import Database, postings
row = {"id": "theirs", "title": "Falconer", "description": "", "content_hash": "no-vector-yet",
       "text": "Falconer at an airfield"}
with Database.open(sys.argv[1]).begin() as connection:
    postings.upsert(connection, [row])
"""

Rank = Callable[..., RerankResult]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ServingModels:
    """The starter models."""
    folder = tmp_path_factory.mktemp("ranking-models")
    redis_url = "redis://127.0.0.1:1"
    return ServingModels(Settings.load(data_dir=folder, redis_url=redis_url, precision="fp32"))


@pytest.fixture
def rank(database: Database, models: ServingModels) -> Rank:
    """Rank as a worker does."""
    ranking = Ranking(database, models, run_directly)

    def rank(query: str, **options: Any) -> RerankResult:
        return ranking.rank(RerankRequest.parse({"query": query, **options}))

    return rank


def ids(result: RerankResult) -> list[str]:
    return [posting.id for posting in result.ranked]


def test_stored_postings_are_found_by_meaning_and_by_name(
    store: Callable[..., list[str]], rank: Rank
) -> None:
    store(*JOBS)

    assert ids(rank("intensive care of patients"))[0] == "icu"
    assert ids(rank("Zephyr"))[0] == "embedded"
    assert set(ids(rank("nurse"))) == {job["id"] for job in JOBS}


def test_each_place_carries_all_stages_the_posting_and_a_reason(
    store: Callable[..., list[str]], rank: Rank
) -> None:
    store(*JOBS)

    result = rank("nurse in Leeds", final_top_k=3)

    first = result.ranked[0]
    assert (first.id, first.title, first.company) == ("icu", "ICU nurse", "St Mary")
    assert first.location == "Leeds"
    assert [posting.rank for posting in result.ranked] == [1, 2, 3]
    assert (first.lexical_rank, first.bi_encoder_rank) == (1, 1)
    assert first.fused_score == pytest.approx(2 / 61)
    assert all(f"#{posting.rank}:" in posting.reason for posting in result.ranked)
    assert (result.candidates, result.first_stage) == (6, "hybrid")
    stages = {"query", "dense", "lexical", "fetch", "fuse", "cross_encoder", "arrange", "total"}
    assert result.timings_ms.keys() == stages
    assert [stamp.name for stamp in result.models] == ["encoder", "reranker"]


@pytest.mark.parametrize("first_stage", ["dense", "lexical"])
def test_each_first_stage_works_by_itself(
    store: Callable[..., list[str]], rank: Rank, first_stage: str
) -> None:
    store(*JOBS)

    result = rank("Python engineer", first_stage=first_stage)

    expected = {"backend", "embedded"} if first_stage == "lexical" else {j["id"] for j in JOBS}
    assert set(ids(result)) == expected
    assert ids(result)[0] == "backend"
    assert all(p.fused_score is None for p in result.ranked)
    assert (result.ranked[0].lexical_rank == 1) == (first_stage == "lexical")


def test_sent_and_stored_candidates_get_the_same_ranking(
    store: Callable[..., list[str]], rank: Rank
) -> None:
    # Given the same postings in the store and in the request
    store(*JOBS)
    sent = [{"id": job["id"], "text": Posting.parse(job).text()} for job in JOBS]

    for first_stage in ("hybrid", "dense", "lexical"):
        stored = rank("nurse or engineer", first_stage=first_stage)
        inline = rank("nurse or engineer", first_stage=first_stage, candidates=sent)

        # Then they rank alike, at each stage
        assert ids(inline) == ids(stored)
        for ours, theirs in zip(inline.ranked, stored.ranked, strict=True):
            assert ours.score == pytest.approx(theirs.score, abs=1e-4)
            assert (ours.lexical_score, ours.lexical_rank, ours.fused_score) == (
                theirs.lexical_score,
                theirs.lexical_rank,
                theirs.fused_score,
            )


def test_a_filter_narrows_the_search_to_what_it_matches(
    store: Callable[..., list[str]], rank: Rank
) -> None:
    store(*JOBS)

    remote = rank("intensive care", where="remote = true")
    nowhere = rank("intensive care", where='location = "Atlantis"')

    assert (ids(remote), remote.candidates) == (["triage"], 1)
    assert (ids(nowhere), nowhere.candidates) == ([], 0)
    assert "filter" in remote.timings_ms


def test_copies_stand_behind_the_best_of_them(store: Callable[..., list[str]], rank: Rank) -> None:
    # Given a posting that three boards carry, and another one
    for board in ("a", "b", "c"):
        store({"id": f"copy-{board}", "title": "Barista", "description": COPIED})
    store(*JOBS)

    # When it is ranked with and without the copies put together
    together = rank("barista who knows latte art")
    apart = rank("barista who knows latte art", collapse_duplicates=False)

    # Then one stands for all, or each by itself
    assert ids(together)[:1] == ["copy-a"]
    assert together.ranked[0].duplicates == ("copy-b", "copy-c")
    assert (together.duplicates, len(together.ranked)) == (2, 7)
    assert ids(apart)[:3] == ["copy-a", "copy-b", "copy-c"]
    assert (apart.duplicates, apart.ranked[0].duplicates) == (0, ())
    assert [posting.rank for posting in together.ranked] == list(range(1, 8))


def test_variety_puts_unlike_postings_between_like_ones(
    store: Callable[..., list[str]], rank: Rank
) -> None:
    nurses = [{"id": f"nurse-{n}", "title": f"ICU nurse, ward {n}"} for n in range(4)]
    store(*JOBS, *nurses)
    plain = rank("ICU nurse", final_top_k=4)

    varied = rank("ICU nurse", final_top_k=4, diversity=0.9)
    none = rank("ICU nurse", final_top_k=4, diversity=0.0)

    assert ids(varied)[0] == ids(plain)[0]
    assert set(ids(varied)) - set(ids(plain))
    assert any("before variety counted" in posting.reason for posting in varied.ranked)
    assert ids(none) == ids(plain)


def test_a_posting_that_is_not_encoded_yet_is_found_by_its_words_and_encoded(
    store: Callable[..., list[str]], rank: Rank, database: Database, settings: Settings
) -> None:
    # Given an index that was searched, and a posting without an embedding by another process
    store(*JOBS)
    rank("nurse")
    writer = [sys.executable, "-c", WRITER, settings.store_url]
    subprocess.run(writer, check=True, timeout=60)

    # When its word is asked for
    result = rank("falconer")

    # Then it is found, and its cosine is that of its text
    first = result.ranked[0]
    assert first.id == "theirs"
    inline = rank("falconer", candidates=[{"id": "theirs", "text": "Falconer at an airfield"}])
    assert first.bi_encoder_score == pytest.approx(inline.ranked[0].bi_encoder_score, abs=1e-5)


def test_what_was_removed_or_changed_is_not_found_any_more(
    store: Callable[..., list[str]], rank: Rank, database: Database
) -> None:
    store(*JOBS)
    assert ids(rank("Zephyr"))[0] == "embedded"

    with database.begin() as connection:
        postings.delete(connection, ["embedded"])
    store({"id": "baker", "title": "Zephyr developer"})

    assert ids(rank("Zephyr", first_stage="lexical")) == ["baker"]
    assert "embedded" not in ids(rank("Zephyr"))


def test_nothing_indexed_and_nothing_sent_is_an_empty_ranking(rank: Rank) -> None:
    for options in ({}, {"candidates": []}, {"where": "remote = true"}):
        result = rank("nurse", **options)
        assert (result.ranked, result.candidates) == ((), 0)


def test_real_workers_rank_what_was_indexed_a_moment_ago(client: Producer) -> None:
    # Given a query that was asked before, and a posting indexed since
    before = client.rerank("lampwork", final_top_k=3).result(timeout_s=60)
    posting = {"id": "glass", "title": "Glassblower", "description": "Borosilicate, lampwork."}
    client.index([posting]).result(timeout_s=60)

    # When it is asked again
    ranked = client.rerank("lampwork", final_top_k=3).result(timeout_s=60).ranked

    # Then the posting comes first, with its title and the reason
    assert "glass" not in ids(before)
    assert (ranked[0].id, ranked[0].title, ranked[0].lexical_rank) == ("glass", "Glassblower", 1)
    assert ranked[0].reason.startswith("stays #1: #1 by its ") or "-> #1:" in ranked[0].reason
