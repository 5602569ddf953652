"""Rankings of what is odd, too much, or damaged: an answer or an error that names it, no guess."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from jobsentinel import Settings
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.requests import RerankRequest
from jobsentinel.contract.results import RerankResult
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.inference.ranking import Ranking
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.store import Database, embeddings
from jobsentinel_workers.store.schema import embeddings as embeddings_table

Rank = Callable[..., RerankResult]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_path: Path) -> ServingModels:
    """A random base encoder, 32 wide, and the starter reranker."""
    return ServingModels(
        Settings.load(
            data_dir=tmp_path_factory.mktemp("models"),
            redis_url="redis://127.0.0.1:1",
            precision="fp32",
            encoder_path=tiny_encoder_path,
        )
    )


@pytest.fixture
def rank(database: Database, models: ServingModels) -> Rank:
    """Rank as a worker does."""

    def rank(query: str, **options: Any) -> RerankResult:
        request = RerankRequest.parse({"query": query, **options})
        return Ranking(database, models, run_directly).rank(request)

    return rank


def overwrite(database: Database, content_hash: str, vector: list[float]) -> None:
    """Put other bytes in the place of a stored embedding."""
    raw = np.array(vector, dtype="<f4").tobytes()
    chosen = embeddings_table.c.content_hash == content_hash
    with database.begin() as connection:
        changed = update(embeddings_table).where(chosen)
        connection.execute(changed.values(vector=raw, dim=len(vector)))


def test_one_candidate_is_the_ranking(rank: Rank, store: Callable[..., list[str]]) -> None:
    store({"id": "only", "title": "Nurse"})

    for options in ({}, {"candidates": [{"id": "only", "text": "Nurse"}]}):
        result = rank("night shift", **options)
        assert [(p.id, p.rank, p.cross_encoder_rank) for p in result.ranked] == [("only", 1, 1)]


def test_candidates_with_the_same_id_are_refused(rank: Rank) -> None:
    twice = [{"id": "a", "text": "Nurse"}, {"id": "a", "text": "Driver"}]

    with pytest.raises(InvalidInput, match=r"candidates\.1\.id: repeats 'a'"):
        rank("nurse", candidates=twice)


def test_a_query_of_50_000_words_is_ranked_up_to_the_limit_of_a_text(
    rank: Rank, store: Callable[..., list[str]]
) -> None:
    # Given 50,000 words that fit into a text, and 50,000 that do not
    store({"id": "a", "title": "Nurse"}, {"id": "b", "title": "Driver"})
    short = " ".join(["a"] * 49_995 + ["nurse"])
    long = " ".join(f"word{n}" for n in range(50_000))

    # Then the one is ranked, and the other refused with the limit
    assert {posting.id for posting in rank(short).ranked} == {"a", "b"}
    with pytest.raises(InvalidInput, match=r"query: .*100,?000 characters"):
        rank(long)


@pytest.mark.parametrize("word", ["夜勤看護師", "ممرضة", "медсестра", "नर्स", "νοσοκόμα"])
def test_postings_in_any_script_are_found_by_their_words(
    rank: Rank, store: Callable[..., list[str]], word: str
) -> None:
    store({"id": "theirs", "title": word}, {"id": "a", "title": "Nurse"})

    assert rank(word).ranked[0].lexical_rank == 1
    assert [posting.id for posting in rank(word, first_stage="lexical").ranked] == ["theirs"]


def test_embeddings_of_another_dimension_are_told_and_not_compared(
    rank: Rank, store: Callable[..., list[str]], database: Database
) -> None:
    # Given a stored embedding that is not as wide as its encoder makes them
    key, _ = store({"id": "a", "title": "Nurse"}, {"id": "b", "title": "Driver"})
    overwrite(database, key, [1.0, 0.0])

    # Then neither a search of the index nor a candidate of the same text is answered
    with pytest.raises(embeddings.CorruptVector, match="dimensions"):
        rank("nurse")
    with pytest.raises(embeddings.CorruptVector, match=f"2 dimensions, the encoder 32.*{key}"):
        rank(
            "nurse",
            candidates=[{"id": "x", "text": Posting.parse({"id": "a", "title": "Nurse"}).text()}],
        )


def test_an_index_that_is_wholly_of_another_dimension_is_told(
    rank: Rank, store: Callable[..., list[str]], database: Database
) -> None:
    (key,) = store({"id": "a", "title": "Nurse"})
    overwrite(database, key, [1.0, 0.0])

    with pytest.raises(InvalidInput, match=r"query: has 32 dimensions, the index of tiny@.* 2"):
        rank("nurse", first_stage="dense")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("first_stage", ["dense", "lexical"])
def test_a_stored_vector_that_is_not_finite_is_named(
    rank: Rank,
    store: Callable[..., list[str]],
    database: Database,
    number: float,
    first_stage: str,
) -> None:
    key, _ = store({"id": "a", "title": "Nurse"}, {"id": "b", "title": "Driver"})
    overwrite(database, key, [number, *[0.0] * 31])

    with pytest.raises(embeddings.CorruptVector, match=f"holds NaN or infinity .*{key}"):
        rank("nurse", first_stage=first_stage)
