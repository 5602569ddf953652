"""Why a candidate was picked, in words that a person who labels understands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jobsentinel_workers.active_learning.acquisition import two_likeliest
from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.near_duplicates import Placed
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy

_UNLIKE = 0.7
"""Cosine below which two postings read as different kinds of job."""


def explain_uncertainty(
    strategy: QueryStrategy, probabilities: Floats, names: Sequence[str], row: int, score: float
) -> str:
    """Return the reason of a pick by least confidence, margin or entropy."""
    if strategy is QueryStrategy.MARGIN:
        return explain_margin(probabilities, names, row)
    first, _ = two_likeliest(probabilities, row)
    likeliest = f"{probabilities[row, first]:.2f} for {names[first]}"
    if strategy is QueryStrategy.ENTROPY:
        over = f"over {len(names)} classes, at most {likeliest}"
        return f"entropy {score:.2f} of 1 {over}"
    return f"least confident: only {likeliest}"


def explain_margin(probabilities: Floats, names: Sequence[str], row: int) -> str:
    """Return how close the two likeliest classes are."""
    first, second = two_likeliest(probabilities, row)
    margin = probabilities[row, first] - probabilities[row, second]
    return f"margin {margin:.2f} between {names[first]} and {names[second]}"


def explain_cluster(rank: int, cluster: int, clusters: int, covered: str, cosine: float) -> str:
    """Return the reason of a pick by diversity; ``covered`` names what novelty is against."""
    nearest = "nearest" if rank == 0 else f"number {rank + 1} in nearness"
    reason = f"{nearest} to the centre of cluster {cluster + 1} of {clusters}"
    if not covered:
        return reason
    likeness = "unlike" if cosine < _UNLIKE else "though similar to"
    return f"{reason}, {likeness} what is {covered} (cosine {cosine:.2f})"


def explain_votes(votes: Floats, names: Sequence[str]) -> str:
    """Return what the members of a committee say of one candidate, (c,) votes."""
    order = [at for at in np.argsort(-votes, kind="stable") if votes[at]]
    counted = ", ".join(f"{int(votes[at])} {names[at]}" for at in order)
    return f"of {int(votes.sum())} members say {counted}"


def explain_divergence(members: Floats, names: Sequence[str], nats: float) -> str:
    """Return how far the (k, c) probabilities of one candidate are apart, and where most."""
    widest = int(np.ptp(members, axis=0).argmax())
    low, high = members[:, widest].min(), members[:, widest].max()
    return f"members differ by {nats:.2f} nats, from {low:.2f} to {high:.2f} for {names[widest]}"


def explain_spread(members: Floats, spread: float) -> str:
    """Return how far the members' (k,) values of one candidate are apart."""
    return (
        f"members predict {number(members.min())} to {number(members.max())}, "
        f"with a standard deviation of {number(spread)}"
    )


def explain_gradient(probabilities: Floats, names: Sequence[str], row: int, length: float) -> str:
    """Return how much a label is expected to move the model."""
    first, _ = two_likeliest(probabilities, row)
    likeliest = f"{probabilities[row, first]:.2f} for {names[first]}"
    return f"expected gradient length {length:.2f}, at most {likeliest}"


def explain_farthest(covered: str, cosine: float | None) -> str:
    """Return the reason of a pick by distance; without a cosine it is the first of all."""
    if cosine is None:
        return "nearest to the middle of the pool, with nothing labelled yet"
    return f"farthest from what is {covered} (nearest cosine {cosine:.2f})"


def explain_badge(names: Sequence[str], likeliest: int, length: float, seed: int) -> str:
    """Return the reason of a pick by BADGE."""
    return (
        f"drawn for a long gradient unlike those picked (length {length:.2f}, "
        f"likeliest {names[likeliest]}, seed {seed})"
    )


def explain_typical(size: int, labelled: int) -> str:
    """Return the reason of a pick by typicality in a cluster of ``size`` candidates."""
    known = f"{labelled} labelled" if labelled else "nothing labelled"
    return f"typical of a cluster of {size} with {known}"


def explain_contrast(
    probabilities: Floats, neighbours: Floats, names: Sequence[str], nats: float
) -> str:
    """Return how a candidate's (c,) probabilities differ from its labelled neighbours'."""
    own, other = int(probabilities.argmax()), int(neighbours.argmax())
    return (
        f"{names[own]} at {probabilities[own]:.2f}, its nearest labelled neighbours "
        f"{names[other]} at {neighbours[other]:.2f} (divergence {nats:.2f} nats)"
    )


def explain_value(value: float, nearest: float) -> str:
    """Return how far a predicted value is from the nearest that is labelled or picked."""
    return f"predicted {number(value)}, {number(nearest)} from the nearest value labelled or picked"


def explain_product(value: float, product: float) -> str:
    """Return how far a candidate is from what is known in embedding and value together."""
    return (
        f"predicted {number(value)}, farthest from what is labelled or picked in text and value "
        f"(product of distances {number(product)})"
    )


def number(value: float) -> str:
    """Return ``value`` as people write it: 84,000 or 0.031."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


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
