"""Fine-tuning on a user's own labels: a class, a number, how alike texts are, or a reranker."""

from __future__ import annotations

from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
from jobsentinel_workers.fine_tuning.fine_tuned import FineTuned, train_fine_tuned
from jobsentinel_workers.fine_tuning.interruption import TrainingInterrupted
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.progress import Progress
from jobsentinel_workers.fine_tuning.trainer import FineTuningTrainer

__all__ = [
    "FineTuned",
    "FineTunedBERT",
    "FineTuningConfig",
    "FineTuningTrainer",
    "JobMatchingDataset",
    "Progress",
    "TrainingInterrupted",
    "TrainingMetrics",
    "train_fine_tuned",
]
