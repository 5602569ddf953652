"""The names of the built-in query strategies, and of what a strategy may look at."""

from __future__ import annotations

from enum import StrEnum

from jobsentinel.contract.errors import InvalidInput


class Need(StrEnum):
    """What a strategy cannot work without, by the name of the argument of ``select``."""

    PROBABILITIES = "probabilities"
    EMBEDDINGS = "embeddings"
    VALUES = "values"
    COMMITTEE_PROBABILITIES = "committee_probabilities"
    COMMITTEE_VALUES = "committee_values"
    LABELLED_EMBEDDINGS = "labelled_embeddings"
    LABELLED_PROBABILITIES = "labelled_probabilities"
    LABELLED_VALUES = "labelled_values"


class QueryStrategy(StrEnum):
    """How candidates are chosen for labelling; docs/active-learning.md says when to use which.

    uncertainty: the likeliest class is least likely.
    margin: the two likeliest classes are closest.
    entropy: the probabilities are most spread out.
    diversity: nearest to the centres of k-means clusters of the embeddings.
    hybrid: 70 % of the picks by uncertainty, 30 % by diversity.
    random: drawn evenly, the baseline every other strategy has to beat.
    vote-entropy: the members of a committee vote for different classes.
    committee-kl: the members' probabilities are far from the committee's mean.
    gradient-length: any label is expected to move the model most.
    badge: gradients that are long and unlike each other.
    k-center: farthest from everything labelled or picked.
    margin-k-center: of the closest margins, those farthest apart.
    typiclust: most typical of clusters in which nothing is labelled, for a cold start.
    contrastive: predicted otherwise than the nearest labelled neighbours.
    committee-variance: the members of a committee predict different values.
    gsx: greedy over the embeddings, for a value.
    gsy: greedy over the predicted values.
    igs: greedy over embeddings and predicted values together.
    """

    UNCERTAINTY = "uncertainty"
    MARGIN = "margin"
    ENTROPY = "entropy"
    DIVERSITY = "diversity"
    HYBRID = "hybrid"
    RANDOM = "random"
    VOTE_ENTROPY = "vote-entropy"
    COMMITTEE_KL = "committee-kl"
    GRADIENT_LENGTH = "gradient-length"
    BADGE = "badge"
    K_CENTER = "k-center"
    MARGIN_K_CENTER = "margin-k-center"
    TYPICLUST = "typiclust"
    CONTRASTIVE = "contrastive"
    COMMITTEE_VARIANCE = "committee-variance"
    GSX = "gsx"
    GSY = "gsy"
    IGS = "igs"

    @classmethod
    def parse(cls, name: QueryStrategy | str) -> QueryStrategy:
        """Return the built-in strategy called ``name``.

        Raises:
            InvalidInput: there is none; the message lists those there are.
        """
        try:
            return cls(name)
        except ValueError:
            known = ", ".join(strategy.value for strategy in cls)
            raise InvalidInput("strategy", f"must be one of {known}") from None
