"""Why a posting stands where it does, in one sentence that only says what was computed."""

from __future__ import annotations

from typing import Final

from jobsentinel_workers.reranking.rankings import (
    CROSS_ENCODER,
    DENSE,
    FUSED,
    LEXICAL,
    RankedCandidate,
)

_FAR_TIMES: Final = 3
_FAR_PLACES: Final = 10
"""Far is at least so many times the other rank, and so many places away."""
_SUBJECTS: Final = {
    DENSE: "its embedding",
    LEXICAL: "its words",
    CROSS_ENCODER: "the cross-encoder",
}


def reason(candidate: RankedCandidate, rank: int | None = None) -> str:
    """Return where the candidate came from and what moved it.

    Args:
        candidate: with its ranks at each stage.
        rank: its place at last, where variety changed it; else that by score.
    """
    now = candidate.rank if rank is None else rank
    before = candidate.retrieval_rank
    moved = f"#{before} -> #{now}" if before != now else f"stays #{now}"
    return f"{moved}: {_cause(candidate, before)}{_later(candidate.rank, now)}"


def _cause(candidate: RankedCandidate, before: int) -> str:
    if candidate.rank == before or not candidate.effects:
        return _places(candidate)
    rises = candidate.rank < before
    choose = max if rises else min
    cause = choose(candidate.effects, key=lambda stage: candidate.effects[stage])
    if cause in (DENSE, LEXICAL):
        return _by_retrieval(candidate, cause, rises)
    return _by_scorer(candidate, cause, rises)


def _by_scorer(candidate: RankedCandidate, stage: str, rises: bool) -> str:
    """Tell how the last scorer differs from the embedding, if that is what moved the candidate."""
    own, other = candidate.ranks[stage], candidate.ranks[DENSE]
    if (own < other) != rises or own == other:
        return _places(candidate)
    far = "far " if _is_far(own, other) else ""
    how = "higher" if rises else "lower"
    return f"{_subject(stage)} rates it {far}{how} (#{own}) than its embedding did (#{other})"


def _by_retrieval(candidate: RankedCandidate, cause: str, rises: bool) -> str:
    """Tell of embedding or words, which count in the score as well, if their ranks bear it out."""
    other = LEXICAL if cause == DENSE else DENSE
    own, others = candidate.ranks.get(cause), candidate.ranks.get(other)
    if own is None and not rises:
        return "it shares no word with the query"
    if others is None and rises and FUSED in candidate.ranks:
        return f"its embedding is near (#{own}), though none of the query's words led to it"
    if own is None or others is None or own == others or (own < others) != rises:
        return _places(candidate)
    than = _subject(other).removeprefix("its ")
    verb = "count" if cause == LEXICAL else "counts"
    how = "for" if rises else "against"
    return f"{_subject(cause)} (#{own}) {verb} {how} it more than its {than} (#{others})"


def _places(candidate: RankedCandidate) -> str:
    named = (stage for stage in candidate.ranks if stage != FUSED)
    return ", ".join(f"#{candidate.ranks[stage]} by {_subject(stage)}" for stage in named)


def _later(by_score: int, now: int) -> str:
    """Tell that the place is not the one by score."""
    if now == by_score:
        return ""
    return f"; #{by_score} by score, before variety counted"


def _subject(stage: str) -> str:
    return _SUBJECTS.get(stage, stage.replace("_", " "))


def _is_far(first: int, second: int) -> bool:
    low, high = sorted((first, second))
    return high >= _FAR_TIMES * low and high - low >= _FAR_PLACES
