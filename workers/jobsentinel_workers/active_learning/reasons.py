"""Why a candidate was picked, in words that a person who labels understands."""

from __future__ import annotations

from jobsentinel_workers.active_learning.acquisition import two_likeliest
from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.clusters import Clustering
from jobsentinel_workers.active_learning.near_duplicates import Placed
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy

_UNLIKE = 0.7
"""Cosine below which two postings read as different kinds of job."""


def explain_uncertainty(
    strategy: QueryStrategy, probabilities: Floats, names: tuple[str, ...], row: int, score: float
) -> str:
    """Return the reason of a pick by least confidence, margin or entropy."""
    first, second = two_likeliest(probabilities, row)
    if strategy is QueryStrategy.MARGIN:
        return f"margin {1 - score:.2f} between {names[first]} and {names[second]}"
    likeliest = f"{probabilities[row, first]:.2f} for {names[first]}"
    if strategy is QueryStrategy.ENTROPY:
        return f"entropy {score:.2f} of 1 over {len(names)} classes, at most {likeliest}"
    return f"least confident: only {likeliest}"


def explain_cluster(clusters: Clustering, row: int, covered_by: str) -> str:
    """Return the reason of a pick by diversity; ``covered_by`` names what novelty is against."""
    rank, cluster = int(clusters.rank[row]), int(clusters.cluster[row])
    nearest = "nearest" if rank == 0 else f"number {rank + 1} in nearness"
    reason = f"{nearest} to the centre of cluster {cluster + 1} of {len(clusters.sizes)}"
    closest = float(clusters.closest_covered[row])
    if not covered_by:
        return reason
    likeness = "unlike" if closest < _UNLIKE else "though similar to"
    return f"{reason}, {likeness} what is {covered_by} (cosine {closest:.2f})"


def explain_random(seed: int) -> str:
    """Return the reason of a random pick."""
    return f"drawn at random (seed {seed})"


def explain_repeat(reason: str, repeated: bool) -> str:
    """Return ``reason`` with the note that the candidate nearly repeats a labelled one."""
    if not repeated:
        return reason
    return f"{reason}; a near-duplicate of something labelled, taken because little else is left"


def explain_twin(reason: str, candidate: Placed, position: int) -> str:
    """Return ``reason`` with the note that the candidate nearly repeats the pick ``position``."""
    return (
        f"{reason}; a near-duplicate of pick {position} (cosine {candidate.cosine:.2f}), "
        "taken because nothing else is left in the pool"
    )
