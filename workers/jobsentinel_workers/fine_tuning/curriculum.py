"""The order in which rows are learnt: shuffled, or in the first epoch from easy to hard.

Easy rows first is a curriculum (Bengio et al. 2009, "Curriculum Learning"). What is easy is told by
the length of a text, or by the loss that a small head over the untrained encoder has on the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobsentinel_workers.fine_tuning.training_data import TrainingData, shuffled_batches

CURRICULUM_EPOCHS: Final = 1
"""Later epochs are shuffled: a model that always sees the hard rows last would lean to them."""

Difficulties = NDArray[np.float64]


class OrderOfRows:
    """Which rows each step of an epoch takes; the same after a restart.

    Args:
        difficulties: (n,) of the rows, for a curriculum; None shuffles every epoch.
    """

    def __init__(
        self, rows: int, batch_size: int, seed: int, difficulties: Difficulties | None = None
    ) -> None:
        self._rows = rows
        self._batch_size = batch_size
        self._seed = seed
        self._difficulties = difficulties

    @property
    def batches_an_epoch(self) -> int:
        """Steps of an epoch."""
        return -(-self._rows // self._batch_size)

    def batches(self, epoch: int) -> list[list[int]]:
        """Return the rows of each step of ``epoch``, from 0."""
        if self._difficulties is None or epoch >= CURRICULUM_EPOCHS:
            return shuffled_batches(self._rows, self._batch_size, self._seed, epoch)
        # Stable, so that rows of one difficulty keep their order on every machine.
        order = np.argsort(self._difficulties, kind="stable").tolist()
        size = self._batch_size
        return [order[start : start + size] for start in range(0, self._rows, size)]


def lengths(texts_of_rows: Sequence[tuple[str, ...]]) -> Difficulties:
    """Return how long each row's texts are, (n,), in characters."""
    return np.array([sum(map(len, texts)) for texts in texts_of_rows], dtype=np.float64)


def head_losses(data: TrainingData, embeddings: NDArray[np.float32]) -> Difficulties:
    """Return the loss of each training row, (n,), under a linear head over frozen embeddings.

    Args:
        embeddings: (texts, d) of the training texts. Pairs need no head: their cosine answers.
    """
    targets = data.train_targets.numpy()
    if data.train.task == "classification":
        return _class_losses(embeddings, targets)
    if data.train.task == "regression":
        return _value_losses(embeddings, targets)
    cosines = (embeddings[0::2] * embeddings[1::2]).sum(axis=1)
    misses: Difficulties = cosines.astype(np.float64) - targets
    return misses**2


def _class_losses(embeddings: NDArray[np.float32], classes: NDArray[np.int64]) -> Difficulties:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        head = LogisticRegression(max_iter=1_000).fit(embeddings.astype(np.float64), classes)
        shares = head.predict_proba(embeddings.astype(np.float64))
    right = shares[np.arange(len(classes)), np.searchsorted(head.classes_, classes)]
    losses: Difficulties = -np.log(np.maximum(right, np.finfo(np.float64).tiny))
    return losses


def _value_losses(embeddings: NDArray[np.float32], values: NDArray[np.float32]) -> Difficulties:
    from sklearn.linear_model import Ridge
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        head = Ridge().fit(embeddings.astype(np.float64), values)
        misses: Difficulties = head.predict(embeddings.astype(np.float64)) - values
    return misses**2
