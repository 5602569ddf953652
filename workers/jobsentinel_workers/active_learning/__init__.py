"""Choosing which postings are worth a person's label, and knowing when to train again.

Query strategies are functions over a model's probabilities (n, c) and embeddings (n, d). Every
candidate keeps its acquisition score and every pick tells its reason.
"""

from __future__ import annotations

from jobsentinel_workers.active_learning.active_learning_manager import ActiveLearningManager
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.retraining import RetrainingTrigger
from jobsentinel_workers.active_learning.samplers import DiversitySampler, UncertaintySampler
from jobsentinel_workers.active_learning.samples import QueryResult, Sample
from jobsentinel_workers.active_learning.selection import Pick, Selection, select

__all__ = [
    "ActiveLearningManager",
    "DiversitySampler",
    "Pick",
    "QueryResult",
    "QueryStrategy",
    "RetrainingTrigger",
    "Sample",
    "Selection",
    "UncertaintySampler",
    "select",
]
