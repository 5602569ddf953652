"""Ranking: exact, in a fixed order, and honest about what it knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.encoder_folders import write_reranker

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import (
    FloatArray,
    SequenceModel,
    TextEncoder,
    TextInput,
    run_directly,
)
from jobsentinel_workers.reranking import (
    Candidate,
    CrossEncoderReranker,
    Fusion,
    HybridRanker,
    RankedCandidate,
    Stage,
)
from jobsentinel_workers.reranking.rankings import FirstStage

POOL = [
    Candidate(f"job-{n:02}", f"{title} number {n}")
    for n, title in enumerate(
        ["Registered nurse", "Truck driver", "Python developer", "Dialysis nurse", "Baker"] * 6
    )
]


@pytest.fixture(scope="module")
def reranker(tiny_encoder_path: Path, tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = write_reranker(tmp_path_factory.mktemp("reranker"), tiny_encoder_path)
    return CrossEncoderReranker.load(folder, precision="fp32")


@pytest.fixture
def ranker(tiny_encoder: TextEncoder, reranker: CrossEncoderReranker) -> HybridRanker:
    return HybridRanker(tiny_encoder, reranker, initial_top_k=12, final_top_k=5)


def test_the_best_of_the_pool_come_back_best_first(ranker: HybridRanker) -> None:
    result = ranker.rank(query="nurse", candidates=POOL)

    ranked = result.reranked_candidates
    assert [candidate.rank for candidate in ranked] == [1, 2, 3, 4, 5]
    scores = [candidate.score for candidate in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert result.candidate_count == len(POOL)


def test_a_dense_first_stage_is_an_exact_search(ranker: HybridRanker) -> None:
    ranker.first_stage = "dense"
    vectors = run_directly(ranker.bi_encoder, ["nurse", *(c.text for c in POOL)])
    cosines = np.round(vectors[1:] @ vectors[0], 6)
    expected = sorted(range(len(POOL)), key=lambda n: (-cosines[n], POOL[n].id))

    ranker.final_top_k = 12
    ranked = ranker.rank("nurse", POOL).reranked_candidates

    by_first_stage = sorted(ranked, key=lambda candidate: candidate.bi_encoder_rank)
    assert [c.id for c in by_first_stage] == [POOL[n].id for n in expected[:12]]


def test_every_stage_ranks_from_one_without_gaps(ranker: HybridRanker) -> None:
    ranker.final_top_k = 12
    ranked = ranker.rank("nurse", POOL).reranked_candidates

    for stage in ("rank", "retrieval_rank", "cross_encoder_rank"):
        assert sorted(getattr(candidate, stage) for candidate in ranked) == list(range(1, 13))
    assert {c.bi_encoder_rank for c in ranked} <= set(range(1, len(POOL) + 1))


def test_the_order_of_the_candidates_does_not_matter(ranker: HybridRanker) -> None:
    forward = ranker.rank("nurse", POOL)
    backward = ranker.rank("nurse", POOL[::-1])

    assert [c.id for c in forward.reranked_candidates] == (
        [c.id for c in backward.reranked_candidates]
    )


def test_equal_texts_are_ordered_by_id(ranker: HybridRanker) -> None:
    same = [Candidate(id, "Registered nurse") for id in ("c", "a", "d", "b")]

    ranked = ranker.rank("nurse", same).reranked_candidates

    assert [candidate.id for candidate in ranked] == ["a", "b", "c", "d"]
    assert len({candidate.score for candidate in ranked}) == 1


def test_equal_texts_at_the_cut_are_chosen_by_id(ranker: HybridRanker) -> None:
    ranker.initial_top_k = 2
    same = [Candidate(id, "Registered nurse") for id in ("c", "a", "d", "b")]

    ranked = ranker.rank("nurse", same).reranked_candidates

    assert [candidate.id for candidate in ranked] == ["a", "b"]


def test_no_candidates_give_an_empty_ranking(ranker: HybridRanker) -> None:
    result = ranker.rank("nurse", [])

    assert result.reranked_candidates == []
    assert result.candidate_count == 0


def test_a_top_k_above_the_pool_is_the_pool(ranker: HybridRanker) -> None:
    ranker.initial_top_k = ranker.final_top_k = 1_000

    assert len(ranker.rank("nurse", POOL).reranked_candidates) == len(POOL)


def test_given_embeddings_are_used_and_nothing_is_embedded_twice(
    tiny_encoder: TextEncoder, reranker: CrossEncoderReranker
) -> None:
    asked: list[int] = []

    def count(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
        if model is tiny_encoder:
            asked.append(len(inputs))
        return run_directly(model, inputs)

    vectors = run_directly(tiny_encoder, [candidate.text for candidate in POOL])
    known = [Candidate(c.id, c.text, v) for c, v in zip(POOL, vectors, strict=True)]
    ranker = HybridRanker(tiny_encoder, reranker, runner=count)

    with_embeddings = ranker.rank("nurse", known)
    without = ranker.rank("nurse", POOL)

    assert asked == [1, 1, len(POOL)]
    assert [c.id for c in with_embeddings.reranked_candidates] == (
        [c.id for c in without.reranked_candidates]
    )


def test_precision_improvement_needs_judgements(ranker: HybridRanker) -> None:
    ranker.initial_top_k = ranker.final_top_k = 30
    plain = ranker.rank("nurse", POOL)
    relevant = {c.id for c in plain.reranked_candidates[:10]}

    judged = ranker.rank("nurse", POOL, relevant_ids=relevant)

    before = sum(c.bi_encoder_rank <= 10 for c in plain.reranked_candidates[:10]) / 10
    assert plain.precision_improvement is None
    assert judged.precision_improvement == pytest.approx(1.0 - before)


def test_a_result_names_its_models_and_its_times(ranker: HybridRanker) -> None:
    result = ranker.rank("nurse", POOL)

    assert result.model_ids["bi_encoder"] == ranker.bi_encoder.model_id
    assert result.model_ids["cross_encoder"] == ranker.cross_encoder.model.model_id
    assert set(result.timings_ms) == {"lexical", "dense", "fuse", "cross_encoder", "total"}
    assert ranker.cross_encoder is not None


def test_a_hybrid_first_stage_fuses_the_two_rankings(ranker: HybridRanker) -> None:
    ranker.final_top_k = 12

    ranked = ranker.rank("registered nurse number 5", POOL).reranked_candidates

    for candidate in ranked:
        found = [candidate.ranks["dense"], candidate.ranks.get("lexical", 99)]
        expected = sum(1 / (60 + rank) for rank in found if rank <= ranker.initial_top_k)
        assert candidate.scores["fused"] == pytest.approx(expected)
    assert sorted(c.ranks["fused"] for c in ranked) == list(range(1, 13))
    by_fusion = sorted(ranked, key=lambda c: (-c.scores["fused"], c.id))
    assert [c.ranks["fused"] for c in by_fusion] == list(range(1, 13))


def test_a_lexical_first_stage_finds_words_only_and_counts_their_cosine_all_the_same(
    ranker: HybridRanker,
) -> None:
    ranker.first_stage, ranker.final_top_k = "lexical", 30
    pool = [*POOL, Candidate("rare", "Lighthouse keeper"), Candidate("none", "Keeper of bees")]

    result = ranker.rank("lighthouse dialysis", pool)

    found = result.reranked_candidates
    assert {c.id for c in found} == {"rare", *(f"job-{n:02}" for n in range(3, 30, 5))}
    assert result.candidate_count == 32
    vectors = run_directly(ranker.bi_encoder, ["lighthouse dialysis", "Lighthouse keeper"])
    (rare,) = (c for c in found if c.id == "rare")
    assert rare.retrieval_rank == rare.ranks["lexical"] == 1
    assert rare.bi_encoder_score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)


def test_a_lexical_first_stage_that_finds_no_word_finds_nothing(ranker: HybridRanker) -> None:
    ranker.first_stage = "lexical"

    assert ranker.rank("astronaut", POOL).reranked_candidates == []


def test_a_candidate_that_no_word_led_to_has_no_lexical_score(ranker: HybridRanker) -> None:
    ranked = ranker.rank("astronaut", POOL).reranked_candidates

    assert len(ranked) == 5
    assert all("lexical" not in c.scores and c.ranks["fused"] for c in ranked)


def test_scores_of_an_index_stand_for_those_among_the_candidates(ranker: HybridRanker) -> None:
    given = {"job-07": 9.5, "job-03": 3.25, "elsewhere": 50.0}

    ranker.first_stage = "lexical"
    ranked = ranker.rank("nurse", POOL, lexical_scores=given).reranked_candidates

    assert {c.id: (c.scores["lexical"], c.ranks["lexical"]) for c in ranked} == {
        "job-07": (9.5, 1),
        "job-03": (3.25, 2),
    }


def test_one_candidate_is_ranked_first(ranker: HybridRanker) -> None:
    (only,) = ranker.rank("nurse", [Candidate("a", "Truck driver")]).reranked_candidates

    assert (only.id, only.rank, only.bi_encoder_rank, only.cross_encoder_rank) == ("a", 1, 1, 1)


def test_a_query_of_50_000_words_is_ranked_for(ranker: HybridRanker) -> None:
    query = " ".join(f"word{n}" for n in range(49_999)) + " dialysis"

    ranked = ranker.rank(query, POOL).reranked_candidates

    assert len(ranked) == 5


def test_effects_tell_what_moved_the_score(ranker: HybridRanker) -> None:
    ranked = ranker.rank("nurse", POOL).reranked_candidates

    assert all(c.effects.keys() == {"dense", "lexical", "cross_encoder"} for c in ranked)
    cosines = [c.bi_encoder_score for c in ranked]
    highest = ranked[int(np.argmax(cosines))]
    assert highest.effects["dense"] == max(c.effects["dense"] for c in ranked) > 0


def test_words_count_in_the_score_by_their_weight(
    tiny_encoder: TextEncoder, reranker: CrossEncoderReranker
) -> None:
    # Given a cross-encoder whose weights trust words alone
    words_only = CrossEncoderReranker(reranker.model, Fusion(0.0, 0.0, -1.0, lexical_weight=4.0))
    pool = [Candidate("a", "Baker"), Candidate("b", "Truck driver, night shift"), *POOL[2:4]]

    def ranked(first_stage: FirstStage) -> list[RankedCandidate]:
        ranker = HybridRanker(tiny_encoder, words_only, first_stage=first_stage)
        return ranker.rank("night shift", pool).reranked_candidates

    # Then the posting that holds the query's words comes first and the others are alike
    assert [(c.id, c.score) for c in ranked("hybrid")[:1]] == [("b", 0.952574)]
    assert {c.score for c in ranked("hybrid")[1:]} == {0.268941}
    # And where words were not looked at, they move nobody
    assert {c.score for c in ranked("dense")} == {0.268941}
    assert all("lexical" not in c.effects for c in ranked("dense"))


@pytest.mark.parametrize(
    ("query", "candidates", "field"),
    [
        ("", POOL, "query"),
        (" \x00", [], "query"),
        (None, POOL, "query"),
        ("nurse", [Candidate("a", "x"), Candidate("a", "y")], r"candidates\.1\.id"),
        ("nurse", [Candidate("a", "x"), Candidate("b", " ")], r"candidates\.1\.text"),
        ("nurse", [Candidate("a", "x", np.zeros(3))], r"candidates\.0\.embedding"),
        ("nurse", [Candidate("a", "x", np.full(32, np.nan))], r"candidates\.0\.embedding"),
    ],
)
def test_bad_input_is_refused_by_its_field(
    ranker: HybridRanker, query: str, candidates: list[Candidate], field: str
) -> None:
    with pytest.raises(InvalidInput, match=field):
        ranker.rank(query, candidates)


@pytest.mark.parametrize("embedding", [np.zeros(3), np.full(32, np.nan), np.zeros((1, 32))])
def test_an_embedding_of_the_query_that_does_not_fit_is_refused(
    ranker: HybridRanker, embedding: FloatArray
) -> None:
    with pytest.raises(InvalidInput, match="query_embedding"):
        ranker.rank("nurse", POOL, query_embedding=embedding)


@pytest.mark.parametrize("first_stage", ["bm25", "", None])
def test_an_unknown_first_stage_is_refused(
    tiny_encoder: TextEncoder, reranker: CrossEncoderReranker, first_stage: Any
) -> None:
    with pytest.raises(InvalidInput, match=r"first_stage: is .*, not one of hybrid, dense"):
        HybridRanker(tiny_encoder, reranker, first_stage=first_stage)


def test_a_cross_encoder_beside_stages_is_refused(
    tiny_encoder: TextEncoder, reranker: CrossEncoderReranker
) -> None:
    with pytest.raises(InvalidInput, match="must be one of the stages"):
        HybridRanker(tiny_encoder, reranker, stages=[Stage(reranker)])


@pytest.mark.parametrize("top_k", [0, -1, 1.5, True, None])
def test_a_top_k_below_one_is_refused(
    tiny_encoder: TextEncoder, reranker: CrossEncoderReranker, top_k: int
) -> None:
    with pytest.raises(InvalidInput, match="top_k"):
        HybridRanker(tiny_encoder, reranker, final_top_k=top_k)
