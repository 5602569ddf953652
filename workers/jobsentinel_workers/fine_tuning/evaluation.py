"""A model's loss and metrics on the validation rows, and those of the simplest alternative."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from jobsentinel_workers.fine_tuning.features import Features
from jobsentinel_workers.fine_tuning.heads import task_loss
from jobsentinel_workers.fine_tuning.metrics import (
    classification_metrics,
    majority_class,
    regression_metrics,
    similarity_metrics,
)
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.training_data import TrainingData

Metrics = dict[str, float | None]


@torch.no_grad()
def validation_loss(model: FineTunedBERT, data: TrainingData, features: Features) -> float:
    """Return the mean loss over the validation rows."""
    targets = data.validation_targets.to(model.encoder.device)
    return float(task_loss(model.config, _outputs(model, data, features), targets).item())


@torch.no_grad()
def validation_metrics(model: FineTunedBERT, data: TrainingData, features: Features) -> Metrics:
    """Return the task's metrics over the validation rows, in the unit of the rows."""
    outputs = _outputs(model, data, features)
    if model.config.task == "classification":
        predicted = outputs.argmax(dim=-1).cpu().numpy()
        return classification_metrics(_indices(data.validation_targets), predicted)
    truth = data.validation.numbers()
    if model.config.task == "similarity":
        return similarity_metrics(truth, _cosines(outputs))
    values = outputs.squeeze(-1).cpu().numpy().astype(np.float64)
    return regression_metrics(truth, values * data.targets.std + data.targets.mean)


def baseline_metrics(data: TrainingData, features: Features) -> Metrics:
    """Return the metrics of the commonest class, of the mean, or of the untrained encoder."""
    if data.train.task == "classification":
        commonest = majority_class(_indices(data.train_targets))
        truth = _indices(data.validation_targets)
        return classification_metrics(truth, np.full_like(truth, commonest))
    numbers = data.validation.numbers()
    if data.train.task == "regression":
        return regression_metrics(numbers, np.full_like(numbers, data.targets.mean))
    return similarity_metrics(numbers, _cosines(_in_halves(data, features)))


def _outputs(model: FineTunedBERT, data: TrainingData, features: Features) -> torch.Tensor:
    output: torch.Tensor = model.head(_in_halves(data, features))
    return output


def _in_halves(data: TrainingData, features: Features) -> torch.Tensor:
    """Return all validation embeddings, the first texts' and then the second texts'."""
    return features.everything()[data.text_rows(range(len(data.validation)))]


def _cosines(embeddings: torch.Tensor) -> NDArray[np.float64]:
    first, second = embeddings.float().cpu().chunk(2)
    cosines = (first * second).sum(dim=-1).numpy().astype(np.float64)
    return np.clip(cosines, 0.0, 1.0)


def _indices(targets: torch.Tensor) -> NDArray[np.int64]:
    indices: NDArray[np.int64] = targets.numpy()
    return indices
