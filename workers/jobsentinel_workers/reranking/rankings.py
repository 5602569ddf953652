"""What goes into a ranking and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobsentinel_workers.encoders import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A text to be ranked; with ``embedding`` (d,) given, the bi-encoder does not read it again."""

    id: str
    text: str
    embedding: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate's place, with its score and its rank (from 1) at each stage.

    ``score`` in 0..1 orders the ranking; ``cross_encoder_rank`` is the place that the
    cross-encoder alone would give it.
    """

    id: str
    text: str
    rank: int
    score: float
    bi_encoder_score: float
    bi_encoder_rank: int
    cross_encoder_score: float
    cross_encoder_rank: int


@dataclass(frozen=True, slots=True)
class RerankResult:
    """A ranking, best first.

    Attributes:
        reranked_candidates: the top ``final_top_k``.
        candidate_count: how many candidates were given.
        timings_ms: wall time of ``embed``, ``retrieve``, ``rerank`` and ``total``.
        model_ids: of ``bi_encoder`` and ``cross_encoder``.
        precision_improvement: P@10 of this ranking minus P@10 of the bi-encoder's; None where the
            relevant ids were not given, for nobody can know it then.
    """

    reranked_candidates: list[RankedCandidate] = field(default_factory=list)
    candidate_count: int = 0
    timings_ms: dict[str, float] = field(default_factory=dict)
    model_ids: dict[str, str] = field(default_factory=dict)
    precision_improvement: float | None = None
