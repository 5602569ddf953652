"""What each stage finds by itself: the same as when serving, and nothing lost between stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.encoder_folders import write_reranker

from jobsentinel_workers.encoders import FloatArray, TextEncoder, run_directly
from jobsentinel_workers.reranking import (
    Candidate,
    CrossEncoderReranker,
    HybridRanker,
)
from jobsentinel_workers.reranking.evaluation import evaluate_rankings
from jobsentinel_workers.reranking.judgements import Judgements
from jobsentinel_workers.reranking.staged_rankings import (
    STAGES,
    Pool,
    StagedRanker,
    rank_by_stage,
)

TITLES = ["Registered nurse", "Truck driver", "Python developer", "Dialysis nurse", "Baker"]
DOCUMENTS = {f"job-{n:02}": f"{TITLES[n % 5]} number {n}" for n in reversed(range(30))}


@pytest.fixture(scope="module")
def reranker(
    tiny_encoder_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> CrossEncoderReranker:
    folder = write_reranker(tmp_path_factory.mktemp("reranker"), tiny_encoder_path)
    return CrossEncoderReranker.load(folder, precision="fp32")


@pytest.fixture
def ranker(tiny_encoder: TextEncoder, reranker: CrossEncoderReranker) -> HybridRanker:
    return HybridRanker(tiny_encoder, reranker, initial_top_k=12, final_top_k=12)


@pytest.fixture
def staged(ranker: HybridRanker) -> StagedRanker:
    embeddings = run_directly(ranker.bi_encoder, list(DOCUMENTS.values()))
    return StagedRanker(Pool.of(DOCUMENTS, embeddings), ranker)


def embedding(ranker: HybridRanker, query: str) -> FloatArray:
    return run_directly(ranker.bi_encoder, [query])[0]


def test_lexical_search_finds_only_what_holds_a_word_of_the_query(
    staged: StagedRanker, ranker: HybridRanker
) -> None:
    found = staged.rank("dialysis", embedding(ranker, "dialysis"))["lexical"]

    assert sorted(found) == [f"job-{n:02}" for n in (3, 8, 13, 18, 23, 28)]


def test_dense_search_is_exact_with_ties_by_id(staged: StagedRanker, ranker: HybridRanker) -> None:
    query = embedding(ranker, "nurse")

    found = staged.rank("nurse", query)["dense"]

    names = list(DOCUMENTS)
    cosines = np.round(run_directly(ranker.bi_encoder, list(DOCUMENTS.values())) @ query, 6)
    assert found == sorted(names, key=lambda name: (-cosines[names.index(name)], name))


def test_the_last_stage_is_what_the_ranker_answers(
    staged: StagedRanker, ranker: HybridRanker
) -> None:
    query = embedding(ranker, "night nurse")

    found = staged.rank("night nurse", query)["final"]

    pool = [Candidate(name, text) for name, text in DOCUMENTS.items()]
    served = ranker.rank("night nurse", pool).reranked_candidates
    assert found[:12] == [candidate.id for candidate in served]


def test_what_the_last_stage_does_not_read_keeps_its_place_behind(
    staged: StagedRanker, ranker: HybridRanker
) -> None:
    rankings = staged.rank("nurse", embedding(ranker, "nurse"))

    assert sorted(rankings["final"]) == sorted(rankings["hybrid"]) == sorted(DOCUMENTS)
    assert sorted(rankings["final"][:12]) == sorted(rankings["hybrid"][:12])
    assert rankings["final"][12:] == rankings["hybrid"][12:]


def test_rankings_are_as_long_as_was_asked(ranker: HybridRanker) -> None:
    pool = Pool.of(DOCUMENTS, run_directly(ranker.bi_encoder, list(DOCUMENTS.values())))

    rankings = StagedRanker(pool, ranker, depth=5).rank("nurse", embedding(ranker, "nurse"))

    assert {stage: len(found) for stage, found in rankings.items()} == dict.fromkeys(STAGES, 5)


def test_the_stages_go_into_an_evaluation(staged: StagedRanker, ranker: HybridRanker) -> None:
    queries = ["dialysis", "baker number 4"]
    vectors = run_directly(ranker.bi_encoder, queries)
    done: list[None] = []

    rankings = rank_by_stage(staged, zip(queries, vectors, strict=True), lambda: done.append(None))

    grades = {"dialysis": {"job-03": 1.0}, "baker number 4": {"job-04": 2.0, "job-09": 1.0}}
    found = evaluate_rankings(Judgements(grades), rankings)
    assert found.stages == STAGES
    assert found.overall.measures["lexical"]["Recall@100"].value == 1.0
    assert len(done) == 2
