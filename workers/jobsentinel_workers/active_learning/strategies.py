"""The built-in strategies by name: what each does with a pool, and what it must be given."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from jobsentinel_workers.active_learning.by_cluster import (
    choose_diverse,
    choose_hybrid,
    choose_typical,
)
from jobsentinel_workers.active_learning.by_distance import (
    choose_by_badge,
    choose_by_k_center,
    choose_by_margin_k_center,
)
from jobsentinel_workers.active_learning.by_probability import (
    choose_by_divergence,
    choose_by_gradient,
    choose_by_spread,
    choose_by_votes,
    choose_contrastive,
    choose_uncertain,
)
from jobsentinel_workers.active_learning.by_value import (
    choose_by_joint_distance,
    choose_by_value_distance,
)
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice, Strategy
from jobsentinel_workers.active_learning.query_strategy import Need, QueryStrategy
from jobsentinel_workers.active_learning.random_share import choose_random

_PROBABILITIES: Final = frozenset({Need.PROBABILITIES})
_EMBEDDINGS: Final = frozenset({Need.EMBEDDINGS})
_LABELLED: Final = frozenset({Need.LABELLED_EMBEDDINGS})
_COMMITTEE: Final = frozenset({Need.COMMITTEE_PROBABILITIES})
_VALUES: Final = frozenset({Need.VALUES, Need.LABELLED_VALUES})


def _uncertain(strategy: QueryStrategy) -> Strategy:
    def choose(pool: CheckedPool) -> Choice:
        return choose_uncertain(pool, strategy)

    return Strategy(choose, _PROBABILITIES, _EMBEDDINGS | _LABELLED)


# Embeddings, where a strategy does not need them, keep near-duplicates apart.
BUILT_IN: Final[Mapping[QueryStrategy, Strategy]] = MappingProxyType(
    {
        QueryStrategy.UNCERTAINTY: _uncertain(QueryStrategy.UNCERTAINTY),
        QueryStrategy.MARGIN: _uncertain(QueryStrategy.MARGIN),
        QueryStrategy.ENTROPY: _uncertain(QueryStrategy.ENTROPY),
        QueryStrategy.DIVERSITY: Strategy(choose_diverse, _EMBEDDINGS, _LABELLED),
        QueryStrategy.HYBRID: Strategy(choose_hybrid, _PROBABILITIES | _EMBEDDINGS, _LABELLED),
        QueryStrategy.RANDOM: Strategy(choose_random),
        QueryStrategy.VOTE_ENTROPY: Strategy(choose_by_votes, _COMMITTEE, _EMBEDDINGS | _LABELLED),
        QueryStrategy.COMMITTEE_KL: Strategy(
            choose_by_divergence, _COMMITTEE, _EMBEDDINGS | _LABELLED
        ),
        QueryStrategy.GRADIENT_LENGTH: Strategy(
            choose_by_gradient, _PROBABILITIES | _EMBEDDINGS, _LABELLED
        ),
        QueryStrategy.BADGE: Strategy(choose_by_badge, _PROBABILITIES | _EMBEDDINGS, _LABELLED),
        QueryStrategy.K_CENTER: Strategy(choose_by_k_center, _EMBEDDINGS, _LABELLED),
        QueryStrategy.MARGIN_K_CENTER: Strategy(
            choose_by_margin_k_center, _PROBABILITIES | _EMBEDDINGS, _LABELLED
        ),
        QueryStrategy.TYPICLUST: Strategy(choose_typical, _EMBEDDINGS, _LABELLED),
        QueryStrategy.CONTRASTIVE: Strategy(
            choose_contrastive,
            _PROBABILITIES | _EMBEDDINGS | _LABELLED | {Need.LABELLED_PROBABILITIES},
        ),
        QueryStrategy.COMMITTEE_VARIANCE: Strategy(
            choose_by_spread, frozenset({Need.COMMITTEE_VALUES}), _EMBEDDINGS | _LABELLED
        ),
        QueryStrategy.GSX: Strategy(choose_by_k_center, _EMBEDDINGS, _LABELLED),
        QueryStrategy.GSY: Strategy(choose_by_value_distance, _VALUES, _EMBEDDINGS | _LABELLED),
        QueryStrategy.IGS: Strategy(choose_by_joint_distance, _VALUES | _EMBEDDINGS | _LABELLED),
    }
)
