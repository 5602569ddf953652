"""What a model's outputs stand for, learnt from its training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset


@dataclass(frozen=True, slots=True)
class Targets:
    """Classes by logit, or the unit of a regression.

    Attributes:
        classes: labels in the order of the logits; empty unless this is classification.
        mean, std: of the training values; a regression's head works in units of them.
    """

    classes: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def of(cls, dataset: JobMatchingDataset, classes: tuple[str, ...] | None = None) -> Self:
        """Return the targets of a training set; ``classes`` are those declared, in their order."""
        if dataset.task != "regression":
            return cls(classes=classes or dataset.classes)
        values = dataset.numbers()
        return cls(mean=float(values.mean()), std=float(values.std()) or 1.0)

    def encode(self, dataset: JobMatchingDataset) -> NDArray[np.int64] | NDArray[np.float32]:
        """Return what the loss compares with, (n,): class indices, or numbers in the head's unit.

        Raises:
            InvalidInput: a label that is not among the classes.
        """
        if dataset.task == "classification":
            return dataset.class_indices(self.classes)
        return ((dataset.numbers() - self.mean) / self.std).astype(np.float32)
