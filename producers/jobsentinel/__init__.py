"""JobSentinel's light wing: what a scraper installs to send work to the fleet.

Names are loaded when first used, so that importing the package costs almost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobsentinel.contract.categories import JOB_CATEGORIES
    from jobsentinel.contract.errors import (
        ConfigurationError,
        InvalidInput,
        JobCancelled,
        JobExpired,
        JobFailed,
        JobSentinelError,
        LeaseLost,
        ModelCorrupted,
        ModelUnavailable,
        OutboxFull,
        OutboxUnavailable,
        QueueFull,
        QueueUnavailable,
        RateLimited,
        ResultTimeout,
    )
    from jobsentinel.contract.postings import Candidate, Label, Posting, Sample
    from jobsentinel.contract.results import (
        AddLabelsResult,
        IndexResult,
        PostingScore,
        RerankResult,
        ScoreResult,
        SelectResult,
        TrainResult,
    )
    from jobsentinel.contract.stored_scores import StoredScore
    from jobsentinel.contract.training_rows import (
        ClassificationRow,
        MultiTaskRow,
        RegressionRow,
        RerankerRow,
        SimilarityRow,
    )
    from jobsentinel.dataset_sending import DatasetReceipt
    from jobsentinel.handles import JobHandle
    from jobsentinel.producer import Producer
    from jobsentinel.settings import Settings
    from jobsentinel.sources.reading import read_postings
    from jobsentinel.streams import JobStream

_HOMES = {
    "contract.categories": ("JOB_CATEGORIES",),
    "contract.errors": (
        "ConfigurationError",
        "InvalidInput",
        "JobCancelled",
        "JobExpired",
        "JobFailed",
        "JobSentinelError",
        "LeaseLost",
        "ModelCorrupted",
        "ModelUnavailable",
        "OutboxFull",
        "OutboxUnavailable",
        "QueueFull",
        "QueueUnavailable",
        "RateLimited",
        "ResultTimeout",
    ),
    "contract.postings": ("Candidate", "Label", "Posting", "Sample"),
    "contract.results": (
        "AddLabelsResult",
        "IndexResult",
        "PostingScore",
        "RerankResult",
        "ScoreResult",
        "SelectResult",
        "TrainResult",
    ),
    "contract.stored_scores": ("StoredScore",),
    "contract.training_rows": (
        "ClassificationRow",
        "MultiTaskRow",
        "RegressionRow",
        "RerankerRow",
        "SimilarityRow",
    ),
    "dataset_sending": ("DatasetReceipt",),
    "handles": ("JobHandle",),
    "producer": ("Producer",),
    "settings": ("Settings",),
    "sources.reading": ("read_postings",),
    "streams": ("JobStream",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "JOB_CATEGORIES",
    "AddLabelsResult",
    "Candidate",
    "ClassificationRow",
    "ConfigurationError",
    "DatasetReceipt",
    "IndexResult",
    "InvalidInput",
    "JobCancelled",
    "JobExpired",
    "JobFailed",
    "JobHandle",
    "JobSentinelError",
    "JobStream",
    "Label",
    "LeaseLost",
    "ModelCorrupted",
    "ModelUnavailable",
    "MultiTaskRow",
    "OutboxFull",
    "OutboxUnavailable",
    "Posting",
    "PostingScore",
    "Producer",
    "QueueFull",
    "QueueUnavailable",
    "RateLimited",
    "RegressionRow",
    "RerankResult",
    "RerankerRow",
    "ResultTimeout",
    "Sample",
    "ScoreResult",
    "SelectResult",
    "Settings",
    "SimilarityRow",
    "StoredScore",
    "TrainResult",
    "read_postings",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'jobsentinel' has no attribute {name!r}")
    return getattr(import_module(f"jobsentinel.{home}"), name)
