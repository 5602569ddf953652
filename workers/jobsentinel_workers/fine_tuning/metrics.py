"""How good a fine-tuned model is on rows it has not seen, beside the simplest alternative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
ClassIndices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """Mean loss over one epoch's training rows, and on the validation rows after it."""

    epoch: int
    train_loss: float
    validation_loss: float


@dataclass(frozen=True, slots=True)
class TrainingMetrics:
    """What a run achieved.

    Attributes:
        validation: of the best epoch: ``accuracy`` and ``macro_f1``; ``mae`` and ``r2``;
            ``spearman`` and ``mae``, or for pairs without scores ``hit_rate`` and ``mrr``; of a
            reranker ``ndcg_at_10``, ``spearman`` and ``log_loss``. None where a metric is not
            defined for these rows.
        baseline: the same of always answering the commonest class or the mean; for similarity and
            rerankers, of the model before training.
        best_epoch: from 1; the one whose weights the model has.
        duration_s: time spent training, interruptions not counted.
    """

    task: str
    method: str
    validation: dict[str, float | None]
    baseline: dict[str, float | None]
    train_rows: int
    validation_rows: int
    best_epoch: int
    best_validation_loss: float
    steps: int
    duration_s: float
    stopped_early: bool
    history: tuple[EpochMetrics, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON and the registry."""
        return asdict(self) | {"history": [asdict(epoch) for epoch in self.history]}


def classification_metrics(truth: ClassIndices, predicted: ClassIndices) -> dict[str, float | None]:
    """Return accuracy and macro F1 over the classes that are there or are predicted."""
    classes = np.union1d(truth, predicted)
    f1 = [_f1(truth == each, predicted == each) for each in classes]
    return {"accuracy": float((truth == predicted).mean()), "macro_f1": float(np.mean(f1))}


def regression_metrics(truth: Numbers, predicted: Numbers) -> dict[str, float | None]:
    """Return the mean absolute error, in the unit of the values, and R2."""
    return {"mae": float(np.abs(truth - predicted).mean()), "r2": _r2(truth, predicted)}


def similarity_metrics(truth: Numbers, predicted: Numbers) -> dict[str, float | None]:
    """Return Spearman's rank correlation and the mean absolute error."""
    mae = float(np.abs(truth - predicted).mean())
    return {"spearman": _spearman(truth, predicted), "mae": mae}


def majority_class(indices: Sequence[int] | ClassIndices) -> int:
    """Return the commonest class; of equals, the first."""
    return int(np.bincount(np.asarray(indices)).argmax())


def _f1(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    # A class of the union is there or is predicted, so the denominator is never 0.
    return float(2 * (truth & predicted).sum() / (truth.sum() + predicted.sum()))


def _r2(truth: Numbers, predicted: Numbers) -> float | None:
    spread = float(((truth - truth.mean()) ** 2).sum())
    return None if spread == 0 else 1 - float(((truth - predicted) ** 2).sum()) / spread


def _spearman(truth: Numbers, predicted: Numbers) -> float | None:
    from scipy.stats import rankdata

    ranks = [rankdata(each) - (len(each) + 1) / 2 for each in (truth, predicted)]
    length = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return None if length == 0 else float((ranks[0] * ranks[1]).sum()) / length
