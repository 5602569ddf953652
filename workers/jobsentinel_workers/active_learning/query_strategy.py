"""The six classic query strategies by name."""

from __future__ import annotations

from enum import StrEnum

from jobsentinel.contract.errors import InvalidInput


class QueryStrategy(StrEnum):
    """How candidates are chosen for labelling (Settles, Active Learning Literature Survey, 2009).

    uncertainty: the likeliest class is least likely.
    margin: the two likeliest classes are closest.
    entropy: the probabilities are most spread out.
    diversity: nearest to the centres of k-means clusters of the embeddings.
    hybrid: 70 % of the picks by uncertainty, 30 % by diversity.
    random: drawn evenly, the baseline every other strategy has to beat.
    """

    UNCERTAINTY = "uncertainty"
    MARGIN = "margin"
    ENTROPY = "entropy"
    DIVERSITY = "diversity"
    HYBRID = "hybrid"
    RANDOM = "random"

    @property
    def needs_probabilities(self) -> bool:
        """Whether the strategy looks at the model's probabilities."""
        return self not in {QueryStrategy.DIVERSITY, QueryStrategy.RANDOM}

    @property
    def needs_embeddings(self) -> bool:
        """Whether the strategy cannot work without embeddings."""
        return self in {QueryStrategy.DIVERSITY, QueryStrategy.HYBRID}

    @classmethod
    def parse(cls, name: QueryStrategy | str) -> QueryStrategy:
        """Return the strategy called ``name``.

        Raises:
            InvalidInput: there is none; the message lists those there are.
        """
        try:
            return cls(name)
        except ValueError:
            known = ", ".join(strategy.value for strategy in cls)
            raise InvalidInput("strategy", f"must be one of {known}") from None
