"""What goes into a ranking and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from jobsentinel_workers.encoders import FloatArray

FirstStage = Literal["hybrid", "dense", "lexical"]

DENSE: Final = "dense"
LEXICAL: Final = "lexical"
FUSED: Final = "fused"
CROSS_ENCODER: Final = "cross_encoder"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A text to be ranked; with ``embedding`` (d,) given, the bi-encoder does not read it again."""

    id: str
    text: str
    embedding: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate's place, with its score and its rank (from 1) at each stage.

    Attributes:
        score: what orders the ranking; in 0..1 if a cross-encoder with fusion weights came last.
        retrieval_rank: its place when the first stage was done.
        scores: by stage: ``dense`` (cosine), ``lexical`` (BM25, if a word was found), ``fused``
            (reciprocal rank fusion, of a hybrid first stage), then each later stage by its name.
        ranks: the place that each of these alone gives it, among all that the stage read.
        effects: by stage, what it added to ``score`` beyond what an average one would have.
    """

    id: str
    text: str
    rank: int
    score: float
    retrieval_rank: int
    scores: dict[str, float]
    ranks: dict[str, int]
    effects: dict[str, float] = field(default_factory=dict)

    @property
    def bi_encoder_score(self) -> float:
        """The cosine of query and text."""
        return self.scores[DENSE]

    @property
    def bi_encoder_rank(self) -> int:
        """The place by cosine."""
        return self.ranks[DENSE]

    @property
    def cross_encoder_score(self) -> float | None:
        """The cross-encoder's logit; None where none is among the stages."""
        return self.scores.get(CROSS_ENCODER)

    @property
    def cross_encoder_rank(self) -> int | None:
        """The place that the cross-encoder alone would give it."""
        return self.ranks.get(CROSS_ENCODER)


@dataclass(frozen=True, slots=True)
class RerankResult:
    """A ranking, best first.

    Attributes:
        reranked_candidates: the top ``final_top_k``.
        candidate_count: how many candidates were given.
        timings_ms: wall time of ``lexical`` and ``dense`` retrieval, of ``fuse`` that joins them,
            of each later stage by its name, and ``total``.
        model_ids: of ``bi_encoder`` and of each later stage by its name.
        precision_improvement: P@10 of this ranking minus P@10 of the bi-encoder's; None where the
            relevant ids were not given, for nobody can know it then.
    """

    reranked_candidates: list[RankedCandidate] = field(default_factory=list)
    candidate_count: int = 0
    timings_ms: dict[str, float] = field(default_factory=dict)
    model_ids: dict[str, str] = field(default_factory=dict)
    precision_improvement: float | None = None
