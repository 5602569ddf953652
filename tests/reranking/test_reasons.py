"""Reasons: one sentence, of ranks that were computed and effects that moved the score."""

from __future__ import annotations

import pytest

from jobsentinel_workers.reranking import RankedCandidate
from jobsentinel_workers.reranking.reasons import reason


def ranked(
    rank: int, retrieval_rank: int, effects: dict[str, float], **ranks: int
) -> RankedCandidate:
    return RankedCandidate(
        id="a",
        text="Nurse",
        rank=rank,
        score=0.5,
        retrieval_rank=retrieval_rank,
        scores=dict.fromkeys(ranks, 0.5),
        ranks=ranks,
        effects=effects,
    )


RAISED = {"dense": -0.1, "cross_encoder": 0.3}
LOWERED = {"dense": 0.1, "cross_encoder": -0.3}


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (
            ranked(3, 34, RAISED, dense=40, lexical=12, fused=34, cross_encoder=2),
            "#34 -> #3: the cross-encoder rates it far higher (#2) than its embedding did (#40)",
        ),
        (
            ranked(3, 5, RAISED, dense=6, fused=5, cross_encoder=4),
            "#5 -> #3: the cross-encoder rates it higher (#4) than its embedding did (#6)",
        ),
        (
            ranked(30, 2, LOWERED, dense=2, lexical=3, fused=2, cross_encoder=40),
            "#2 -> #30: the cross-encoder rates it far lower (#40) than its embedding did (#2)",
        ),
        (
            ranked(4, 10, {"dense": 0.3, "cross_encoder": 0.1}, dense=2, fused=10, cross_encoder=5),
            "#10 -> #4: its embedding is near (#2), though none of the query's words led to it",
        ),
        (
            ranked(
                4,
                10,
                {"dense": 0.3, "cross_encoder": 0.1},
                dense=2,
                lexical=80,
                fused=10,
                cross_encoder=5,
            ),
            "#10 -> #4: its embedding (#2) counts for it more than its words (#80)",
        ),
        (
            ranked(
                4,
                10,
                {"dense": 0.1, "lexical": 0.3, "cross_encoder": 0.1},
                dense=30,
                lexical=1,
                fused=10,
                cross_encoder=5,
            ),
            "#10 -> #4: its words (#1) count for it more than its embedding (#30)",
        ),
        (
            ranked(
                20,
                10,
                {"dense": 0.1, "lexical": -0.3, "cross_encoder": 0.1},
                dense=2,
                fused=10,
                cross_encoder=5,
            ),
            "#10 -> #20: it shares no word with the query",
        ),
        (
            ranked(1, 1, RAISED, dense=1, lexical=2, fused=1, cross_encoder=1),
            "stays #1: #1 by its embedding, #2 by its words, #1 by the cross-encoder",
        ),
        (
            # Up although no stage rates it higher: others went down.
            ranked(3, 4, RAISED, dense=2, fused=4, cross_encoder=4),
            "#4 -> #3: #2 by its embedding, #4 by the cross-encoder",
        ),
        (
            ranked(2, 5, {}, dense=5, sparse=2),
            "#5 -> #2: #5 by its embedding, #2 by sparse",
        ),
    ],
)
def test_a_reason_tells_what_moved_a_posting(candidate: RankedCandidate, sentence: str) -> None:
    assert reason(candidate) == sentence


def test_a_place_that_variety_gave_is_told_as_such() -> None:
    candidate = ranked(2, 2, RAISED, dense=2, cross_encoder=2)

    assert reason(candidate, 5) == (
        "#2 -> #5: #2 by its embedding, #2 by the cross-encoder; "
        "#2 by score, before variety counted"
    )
