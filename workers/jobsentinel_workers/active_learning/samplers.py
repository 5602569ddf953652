"""The strategies' two families as classes, for those who hold arrays and want one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.acquisition import (
    least_confidence,
    margin_uncertainty,
    normalised_entropy,
)
from jobsentinel_workers.active_learning.by_probability import SCORERS
from jobsentinel_workers.active_learning.checks import Floats, check_probabilities
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.random_share import RANDOM_SHARE
from jobsentinel_workers.active_learning.selection import Selection, select


class UncertaintySampler:
    """Chooses what the model knows least about.

    Args:
        strategy: ``uncertainty``, ``margin`` or ``entropy``.

    Example:
        >>> UncertaintySampler("entropy").select([[0.9, 0.1], [0.5, 0.5]], num_samples=1).indices
        [1]
    """

    def __init__(self, strategy: QueryStrategy | str = QueryStrategy.UNCERTAINTY) -> None:
        self.strategy = QueryStrategy.parse(strategy)
        if self.strategy not in SCORERS:
            raise InvalidInput("strategy", "must be one of uncertainty, margin, entropy")

    @staticmethod
    def least_confident(probabilities: Any) -> Floats:
        """Return 1 - p(likeliest class) for (n, c) probabilities; higher is less sure."""
        return least_confidence(check_probabilities(probabilities))

    @staticmethod
    def margin(probabilities: Any) -> Floats:
        """Return 1 - (p(likeliest) - p(second)) for (n, c) probabilities; higher is less sure."""
        return margin_uncertainty(check_probabilities(probabilities))

    @staticmethod
    def entropy(probabilities: Any) -> Floats:
        """Return entropy / ln c for (n, c) probabilities: 0 is sure, 1 is even."""
        return normalised_entropy(check_probabilities(probabilities))

    def select(
        self,
        probabilities: Any,
        num_samples: int,
        *,
        embeddings: Any = None,
        class_names: Sequence[str] | None = None,
        random_share: float = RANDOM_SHARE,
    ) -> Selection:
        """Choose ``num_samples`` candidates; embeddings keep near-duplicates apart."""
        return select(
            self.strategy,
            probabilities,
            embeddings,
            num_samples=num_samples,
            class_names=class_names,
            random_share=random_share,
        )


class DiversitySampler:
    """Chooses candidates that stand for different regions of the pool, by k-means.

    Example:
        >>> far_apart = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]
        >>> sorted(DiversitySampler(seed=1).select(far_apart, num_samples=2).indices)[-1]
        2
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def select(
        self,
        embeddings: Any,
        num_samples: int,
        *,
        labelled_embeddings: Any = None,
        random_share: float = RANDOM_SHARE,
    ) -> Selection:
        """Choose ``num_samples`` of (n, d) embeddings, away from the (m, d) labelled ones."""
        return select(
            QueryStrategy.DIVERSITY,
            embeddings=embeddings,
            num_samples=num_samples,
            labelled_embeddings=labelled_embeddings,
            seed=self.seed,
            random_share=random_share,
        )
