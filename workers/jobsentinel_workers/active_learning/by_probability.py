"""Strategies that rank candidates by one number each: of the probabilities, or of a committee."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from jobsentinel_workers.active_learning.acquisition import (
    least_confidence,
    margin_uncertainty,
    normalised_entropy,
)
from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.contrast import contrast
from jobsentinel_workers.active_learning.disagreement import (
    committee_divergence,
    committee_spread,
    vote_entropy,
    votes,
)
from jobsentinel_workers.active_learning.gradients import expected_gradient_length
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.reasons import (
    explain_contrast,
    explain_divergence,
    explain_gradient,
    explain_spread,
    explain_uncertainty,
    explain_votes,
)

SCORERS: Final[Mapping[QueryStrategy, Callable[[Floats], Floats]]] = MappingProxyType(
    {
        QueryStrategy.UNCERTAINTY: least_confidence,
        QueryStrategy.MARGIN: margin_uncertainty,
        QueryStrategy.ENTROPY: normalised_entropy,
    }
)


def choose_uncertain(
    pool: CheckedPool, strategy: QueryStrategy, count: int | None = None
) -> Choice:
    """Pick by least confidence, margin or entropy (Settles, Literature Survey, 2009)."""
    scores = SCORERS[strategy](pool.probabilities)

    def explain(row: int) -> str:
        return explain_uncertainty(strategy, pool.probabilities, pool.names, row, scores[row])

    return pool.by_score(scores, explain, count)


def choose_by_votes(pool: CheckedPool) -> Choice:
    """Pick where the committee's votes are most spread out (Engelson and Dagan, 1996)."""
    counted = votes(pool.committee.probabilities)
    return pool.by_score(
        vote_entropy(pool.committee.probabilities),
        lambda row: explain_votes(counted[row], pool.names),
    )


def choose_by_divergence(pool: CheckedPool) -> Choice:
    """Pick where members are farthest from their consensus (McCallum and Nigam, 1998)."""
    members = pool.committee.probabilities
    scores = committee_divergence(members)
    return pool.by_score(
        scores, lambda row: explain_divergence(members[:, row], pool.names, scores[row])
    )


def choose_by_spread(pool: CheckedPool) -> Choice:
    """Pick where the committee's values are farthest apart (Burbidge et al., 2007)."""
    scores = committee_spread(pool.committee.values)
    return pool.by_score(
        scores, lambda row: explain_spread(pool.committee.values[:, row], scores[row])
    )


def choose_by_gradient(pool: CheckedPool) -> Choice:
    """Pick where a label is expected to move the model most (Settles et al., 2008)."""
    scores = expected_gradient_length(pool.probabilities, pool.lengths)
    return pool.by_score(
        scores, lambda row: explain_gradient(pool.probabilities, pool.names, row, scores[row])
    )


def choose_contrastive(pool: CheckedPool) -> Choice:
    """Pick what is predicted otherwise than its labelled neighbours (Margatina et al., 2021)."""
    scores, neighbours = contrast(
        pool.unit, pool.probabilities, pool.labelled.unit, pool.labelled.probabilities
    )

    def explain(row: int) -> str:
        return explain_contrast(
            pool.probabilities[row], neighbours[row], pool.names, float(scores[row])
        )

    return pool.by_score(scores, explain)
