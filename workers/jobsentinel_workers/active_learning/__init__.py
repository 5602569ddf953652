"""Choosing which postings are worth a person's label, and knowing when to train again.

Query strategies are functions over a model's probabilities (n, c) or values (n,), embeddings (n, d)
and what is labelled. Every candidate keeps its acquisition score and every pick tells its reason.
"""

from __future__ import annotations

from jobsentinel_workers.active_learning.active_learning_manager import ActiveLearningManager
from jobsentinel_workers.active_learning.known_strategies import strategy_named
from jobsentinel_workers.active_learning.near_duplicates import Placed
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice, Chosen, Strategy
from jobsentinel_workers.active_learning.query_strategy import Need, QueryStrategy
from jobsentinel_workers.active_learning.retraining import RetrainingTrigger
from jobsentinel_workers.active_learning.samplers import DiversitySampler, UncertaintySampler
from jobsentinel_workers.active_learning.samples import QueryResult, Sample
from jobsentinel_workers.active_learning.selection import Pick, Selection, select

__all__ = [
    "ActiveLearningManager",
    "CheckedPool",
    "Choice",
    "Chosen",
    "DiversitySampler",
    "Need",
    "Pick",
    "Placed",
    "QueryResult",
    "QueryStrategy",
    "RetrainingTrigger",
    "Sample",
    "Selection",
    "Strategy",
    "UncertaintySampler",
    "select",
    "strategy_named",
]
