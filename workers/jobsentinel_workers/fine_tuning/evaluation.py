"""A model's loss and metrics on the validation rows, and those of the simplest alternative."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
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

RANKING_SCALE: Final = 20.0
"""Of cosines before a softmax, as in the training loss."""
RANKED_AT_ONCE: Final = 512
"""Rows of a matrix of cosines; all at once would be too much of 10,000 rows."""


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
        first, second = outputs.chunk(2)
        return similarity_metrics_of(first, second, data.validation)
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
    return similarity_metrics_of(*embeddings_of_pairs(data, features), data.validation)


def _outputs(model: FineTunedBERT, data: TrainingData, features: Features) -> torch.Tensor:
    output: torch.Tensor = model.head(_in_halves(data, features))
    return output


def _in_halves(data: TrainingData, features: Features) -> torch.Tensor:
    """Return all validation embeddings, the first texts' and then the second texts'."""
    return features.everything()[data.text_rows(range(len(data.validation)))]


def embeddings_of_pairs(
    data: TrainingData, features: Features
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the validation pairs' first and second texts' embeddings, (n, d) each."""
    first, second = _in_halves(data, features).chunk(2)
    return first, second


def similarity_metrics_of(
    first: torch.Tensor, second: torch.Tensor, rows: JobMatchingDataset
) -> Metrics:
    """Return the metrics of the cosines of (n, d) embeddings against the rows' scores."""
    cosines = (first.float() * second.float()).sum(dim=-1).cpu().numpy().astype(np.float64)
    return similarity_metrics(rows.numbers(), np.clip(cosines, 0.0, 1.0))


def ranking_loss(first: torch.Tensor, second: torch.Tensor, rows: JobMatchingDataset) -> float:
    """Return the mean surprise at each first text's own partner among all second texts."""
    surprises = [
        functional.cross_entropy(RANKING_SCALE * cosines, own, reduction="sum").item()
        for cosines, own in _partners(first, second, rows)
    ]
    return sum(surprises) / len(rows)


def ranking_metrics(first: torch.Tensor, second: torch.Tensor, rows: JobMatchingDataset) -> Metrics:
    """Return how often a text's own partner is the nearest of all, and its mean reciprocal rank."""
    ranks = torch.cat([_ranks(cosines, own) for cosines, own in _partners(first, second, rows)])
    return {
        "hit_rate": float((ranks == 1).mean(dtype=torch.float64)),
        "mrr": float((1 / ranks).mean()),
    }


def _ranks(cosines: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    nearer = cosines > cosines.gather(1, own.unsqueeze(1))
    return 1.0 + nearer.sum(dim=1)


def _partners(
    first: torch.Tensor, second: torch.Tensor, rows: JobMatchingDataset
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield cosines (chunk, n) with the place of each row's own partner.

    What is a partner as well, because a text comes in several pairs, is taken out.
    """
    places: dict[str, list[int]] = defaultdict(list)
    partners: dict[str, set[str]] = defaultdict(set)
    for at, example in enumerate(rows.examples):
        places[example.texts[1]].append(at)
        partners[example.texts[0]].add(example.texts[1])
    for start in range(0, len(rows), RANKED_AT_ONCE):
        chunk = rows.examples[start : start + RANKED_AT_ONCE]
        cosines = first[start : start + len(chunk)].float() @ second.float().T
        for row, example in enumerate(chunk):
            others = [at for text in partners[example.texts[0]] for at in places[text]]
            others.remove(start + row)
            cosines[row, others] = -1.0
        yield cosines, torch.arange(start, start + len(chunk), device=cosines.device)


def _indices(targets: torch.Tensor) -> NDArray[np.int64]:
    indices: NDArray[np.int64] = targets.numpy()
    return indices
