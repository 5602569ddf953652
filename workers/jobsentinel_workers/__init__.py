"""JobSentinel's heavy wing: the engines, and the workers that serve them.

The engines are a library too: they work in a notebook or a function without a queue. Names are
loaded when first used, since most of them bring torch.

Example:
    >>> from jobsentinel_workers import HybridRanker
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobsentinel_workers.active_learning import (
        ActiveLearningManager,
        DiversitySampler,
        QueryResult,
        QueryStrategy,
        RetrainingTrigger,
        Sample,
        UncertaintySampler,
    )
    from jobsentinel_workers.fine_tuning import (
        FineTunedBERT,
        FineTuningConfig,
        FineTuningTrainer,
        JobMatchingDataset,
        TrainingMetrics,
    )
    from jobsentinel_workers.multi_task import (
        MultiTaskBERT,
        MultiTaskPredictor,
        MultiTaskTrainer,
        Task,
        TaskType,
        create_job_matching_model,
    )
    from jobsentinel_workers.registry import ModelManager
    from jobsentinel_workers.reranking import (
        Candidate,
        CrossEncoderReranker,
        HybridRanker,
        RerankResult,
    )

_HOMES = {
    "active_learning": (
        "ActiveLearningManager",
        "DiversitySampler",
        "QueryResult",
        "QueryStrategy",
        "RetrainingTrigger",
        "Sample",
        "UncertaintySampler",
    ),
    "fine_tuning": (
        "FineTunedBERT",
        "FineTuningConfig",
        "FineTuningTrainer",
        "JobMatchingDataset",
        "TrainingMetrics",
    ),
    "multi_task": (
        "MultiTaskBERT",
        "MultiTaskPredictor",
        "MultiTaskTrainer",
        "Task",
        "TaskType",
        "create_job_matching_model",
    ),
    "registry": ("ModelManager",),
    "reranking": ("Candidate", "CrossEncoderReranker", "HybridRanker", "RerankResult"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ActiveLearningManager",
    "Candidate",
    "CrossEncoderReranker",
    "DiversitySampler",
    "FineTunedBERT",
    "FineTuningConfig",
    "FineTuningTrainer",
    "HybridRanker",
    "JobMatchingDataset",
    "ModelManager",
    "MultiTaskBERT",
    "MultiTaskPredictor",
    "MultiTaskTrainer",
    "QueryResult",
    "QueryStrategy",
    "RerankResult",
    "RetrainingTrigger",
    "Sample",
    "Task",
    "TaskType",
    "TrainingMetrics",
    "UncertaintySampler",
    "create_job_matching_model",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'jobsentinel_workers' has no attribute {name!r}")
    return getattr(import_module(f"jobsentinel_workers.{home}"), name)
