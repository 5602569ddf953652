"""Multi-stage reranking: each stage reads what the one before it kept, and keeps the best.

The cheap stages come first and see many candidates, the costly ones last and see few
(R. Nogueira et al., "Multi-stage document ranking with BERT", 2019, arXiv:1910.14424).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import FloatArray, Runner
from jobsentinel_workers.reranking.cross_encoder import CrossEncoderReranker
from jobsentinel_workers.reranking.fusion import SCORE_DECIMALS, Fusion, shares_of_best
from jobsentinel_workers.reranking.ordering import Numbers, best_first, ranks
from jobsentinel_workers.reranking.rankings import CROSS_ENCODER, DENSE, LEXICAL, Candidate


class Scorer(Protocol):
    """Anything that judges texts for a query, such as a `CrossEncoderReranker`."""

    def score(self, query: str, texts: Sequence[str], runner: Runner) -> npt.NDArray[Any]:
        """Return (n,) finite numbers, higher is better; ``runner`` computes `SequenceModel`s."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A scorer, and how many candidates go on to the next stage: ``keep``, or all of them.

    A scorer that has ``fusion`` weights, as cross-encoders do, orders by these, the cosine and the
    words; others by their own score. ``name`` is the scorer's ``stage_name`` unless given.
    """

    scorer: Scorer
    keep: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            is_cross_encoder = isinstance(self.scorer, CrossEncoderReranker)
            default = CROSS_ENCODER if is_cross_encoder else type(self.scorer).__name__
            object.__setattr__(self, "name", getattr(self.scorer, "stage_name", default))

    @property
    def model_id(self) -> str:
        """The id of the scorer's model, or its class where it has none."""
        model = getattr(self.scorer, "model", self.scorer)
        return str(getattr(model, "model_id", type(self.scorer).__name__))


@dataclass(slots=True)
class Entry:
    """A candidate on its way through the stages, with what each said about it."""

    candidate: Candidate
    retrieval_rank: int
    score: float
    scores: dict[str, float]
    ranks: dict[str, int]
    effects: dict[str, float] = field(default_factory=dict)


def run_stage(stage: Stage, query: str, entries: Sequence[Entry], runner: Runner) -> list[Entry]:
    """Return the entries that ``stage`` keeps, best first, ties by id.

    Raises:
        InvalidInput: the scorer does not give one finite number for each text.
    """
    if not entries:
        return []
    raw = stage.scorer.score(query, [entry.candidate.text for entry in entries], runner)
    own = _checked(stage, raw, len(entries))
    fusion: Fusion | None = getattr(stage.scorer, "fusion", None)
    ids = [entry.candidate.id for entry in entries]
    joined: Numbers = own
    effects: dict[str, Numbers] = {}
    if fusion is not None:
        joined, effects = _joined(stage.name, fusion, own, entries)
    for n, (entry, rank) in enumerate(zip(entries, ranks(own, ids), strict=True)):
        entry.score = float(joined[n])
        entry.scores[stage.name], entry.ranks[stage.name] = float(own[n]), rank
        entry.effects = {name: float(effect[n]) for name, effect in effects.items()}
    kept = len(entries) if stage.keep is None else stage.keep
    return [entries[n] for n in best_first(joined, ids, kept)]


def _checked(stage: Stage, scores: npt.NDArray[Any], count: int) -> FloatArray:
    if np.shape(scores) != (count,) or not np.isfinite(scores).all():
        problem = f"must give {count} finite numbers, gave the shape {np.shape(scores)}"
        raise InvalidInput(f"stages.{stage.name}", problem)
    return np.asarray(np.round(scores, SCORE_DECIMALS), dtype=np.float32)


def _joined(
    name: str, fusion: Fusion, logits: FloatArray, entries: Sequence[Entry]
) -> tuple[Numbers, dict[str, Numbers]]:
    """Return the joined scores, and what each would lose were a part an average candidate's."""
    cosines = np.array([entry.scores[DENSE] for entry in entries], dtype=np.float32)
    words = np.array([entry.scores.get(LEXICAL, 0.0) for entry in entries])
    parts: dict[str, Numbers] = {DENSE: cosines, name: logits, LEXICAL: shares_of_best(words)}

    def score(replaced: dict[str, Numbers]) -> Numbers:
        known = parts | replaced
        return fusion.score(known[DENSE], known[name], known[LEXICAL])

    whole = score({})
    # Where words were not looked at, they moved nobody.
    told = {part: values for part, values in parts.items() if part != LEXICAL or words.any()}
    averages = {part: np.full_like(values, values.mean()) for part, values in told.items()}
    return whole, {part: whole - score({part: average}) for part, average in averages.items()}
