"""Ranking: exact, in a fixed order, and honest about what it knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import (
    FloatArray,
    SequenceModel,
    TextEncoder,
    TextInput,
    load_backbone,
    run_directly,
)
from jobsentinel_workers.encoders.adapters import add_adapters
from jobsentinel_workers.reranking import (
    Candidate,
    CrossEncoderReranker,
    Fusion,
    HybridRanker,
    PairLimits,
)
from jobsentinel_workers.reranking.cross_encoder import save_reranker
from jobsentinel_workers.reranking.pair_scoring import PairNetwork

POOL = [
    Candidate(f"job-{n:02}", f"{title} number {n}")
    for n, title in enumerate(
        ["Registered nurse", "Truck driver", "Python developer", "Dialysis nurse", "Baker"] * 6
    )
]


@pytest.fixture(scope="module")
def reranker(tiny_encoder_path: Path, tmp_path_factory: pytest.TempPathFactory) -> object:
    backbone = load_backbone(tiny_encoder_path)
    add_adapters(backbone.network, rank=2, alpha=4.0)
    folder = save_reranker(
        PairNetwork(backbone.network, backbone.hidden_size),
        backbone,
        tmp_path_factory.mktemp("reranker"),
        adapter={"rank": 2, "alpha": 4.0},
        limits=PairLimits(16, 64),
        fusion=Fusion(8.0, 0.5, -4.0),
    )
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


def test_the_first_stage_is_an_exact_search(ranker: HybridRanker) -> None:
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

    for stage in ("rank", "bi_encoder_rank", "cross_encoder_rank"):
        assert sorted(getattr(candidate, stage) for candidate in ranked) == list(range(1, 13))


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

    assert asked == [1, 1 + len(POOL)]
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
    assert set(result.timings_ms) == {"embed", "retrieve", "rerank", "total"}


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


@pytest.mark.parametrize("top_k", [0, -1, 1.5, True, None])
def test_a_top_k_below_one_is_refused(
    tiny_encoder: TextEncoder, reranker: CrossEncoderReranker, top_k: int
) -> None:
    with pytest.raises(InvalidInput, match="top_k"):
        HybridRanker(tiny_encoder, reranker, final_top_k=top_k)
