"""The two sides of a run: what is learnt from and what it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
from jobsentinel_workers.fine_tuning.targets import Targets


@dataclass(frozen=True)
class TrainingData:
    """A training and a validation set with targets (n,) as tensors in the head's unit."""

    train: JobMatchingDataset
    validation: JobMatchingDataset
    targets: Targets
    train_targets: torch.Tensor
    validation_targets: torch.Tensor

    @property
    def texts_an_example(self) -> int:
        """2 for pairs, else 1."""
        return len(self.train.examples[0].texts)

    def text_rows(self, examples: Sequence[int]) -> list[int]:
        """Return where the texts of ``examples`` lie: all first texts, then all second ones."""
        each = self.texts_an_example
        return [each * example + side for side in range(each) for example in examples]


def arrange(
    train: JobMatchingDataset, validation: JobMatchingDataset | None, config: FineTuningConfig
) -> TrainingData:
    """Check the sets against the task; without a validation set, set one apart.

    Raises:
        InvalidInput: a set of another task, an empty one, a label that was not declared, or a
            class that no row has.
    """
    check_declared(train, config.classes)
    if validation is None:
        train, validation = train.split(config.validation_fraction, config.seed)
    for name, dataset in (("train", train), ("validation", validation)):
        if dataset.task != config.task:
            raise InvalidInput(name, f"holds {dataset.task} rows, but the task is {config.task}")
        if not len(dataset):
            raise InvalidInput(name, "must not be empty")
    targets = Targets.of(train, config.classes)
    return TrainingData(
        train=train,
        validation=validation,
        targets=targets,
        train_targets=torch.from_numpy(targets.encode(train)),
        validation_targets=torch.from_numpy(targets.encode(validation)),
    )


def check_declared(dataset: JobMatchingDataset, classes: tuple[str, ...] | None) -> None:
    """Hold the labels against the declared ones, if there are any.

    Raises:
        InvalidInput: naming the first row whose label is another, or a class without rows.
    """
    if classes is None:
        return
    for at, example in enumerate(dataset.examples):
        if example.target not in classes:
            known = ", ".join(classes)
            raise InvalidInput(
                f"rows.{at}.label", f"is {example.target!r:.80}, not one of {known:.200}"
            )
    for name in classes:
        if name not in dataset.classes:
            raise InvalidInput(
                "classes", f"names {name!r:.80}, which no row has: it cannot be learnt"
            )


def shuffled_batches(rows: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return one epoch's batches; each epoch has an order of its own, the same after a restart."""
    order = np.random.default_rng([seed, epoch]).permutation(rows).tolist()
    return [order[start : start + batch_size] for start in range(0, rows, batch_size)]
