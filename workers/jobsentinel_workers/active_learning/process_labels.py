"""Labels in the memory of one process: gone when it ends, and shared with nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.label_memory import Batch, Handout, Progress, Taken
from jobsentinel_workers.active_learning.predictions import LabelledSamples
from jobsentinel_workers.active_learning.samples import Label, Sample


class ProcessLabels:
    """A `LabelMemory` for a notebook or a test.

    Args:
        now: the clock, in UTC.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._labels: dict[str, Label] = {}
        self._labelled_embeddings: dict[str, NDArray[np.float64]] = {}
        self._picked_embeddings: dict[str, NDArray[Any]] = {}
        self._new_ids: set[str] = set()
        self._trainings = 0
        self._waiting_since = now()

    def taken(self, pool: Sequence[Sample]) -> Taken:
        """Return what is labelled; nobody else is handed anything."""
        del pool
        return Taken(self._labels.keys())

    def labelled(self, candidates: Sequence[Sample]) -> LabelledSamples:
        """Return what is labelled and came with an embedding, or was picked with one."""
        del candidates
        return LabelledSamples(
            list(self._labelled_embeddings.values()),
            [self._labels[id_] for id_ in self._labelled_embeddings],
        )

    def hand_out(self, batch: Batch) -> Handout:
        """Keep the embeddings that were computed, until the labels come."""
        if batch.embeddings is not None:
            ids = (sample.id for sample in batch.samples)
            self._picked_embeddings.update(zip(ids, batch.embeddings, strict=True))
        return Handout()

    def add(
        self,
        samples: Sequence[Sample],
        labels: Sequence[Label],
        seconds_spent: Sequence[float | None],
    ) -> int:
        """Keep labels; the time spent is of use only where it outlives the process."""
        del seconds_spent
        return sum(self._keep(*each) for each in zip(samples, labels, strict=True))

    def labels(self) -> dict[str, Label]:
        """Return the labels by sample id."""
        return dict(self._labels)

    def progress(self) -> Progress:
        """Return how far labelling came."""
        return Progress(
            total_labels=len(self._labels),
            new_labels=len(self._new_ids),
            label_counts=dict(Counter(map(str, self._labels.values()))),
            waiting_since=self._waiting_since,
            details={"trainings": self._trainings},
        )

    def mark_retrained(self, last_label_seq: int | None) -> None:
        """Count labels anew."""
        if last_label_seq is not None:
            raise InvalidInput("last_label_seq", "is a store's number; this manager has no store")
        self._new_ids.clear()
        self._waiting_since = self._now()
        self._trainings += 1

    def _keep(self, sample: Sample, label: Label) -> bool:
        if sample.id in self._labels and self._labels[sample.id] == label:
            return False
        self._labels[sample.id] = label
        self._new_ids.add(sample.id)
        embedding = sample.embedding
        if embedding is None:
            embedding = self._picked_embeddings.pop(sample.id, None)
        if embedding is not None:
            self._labelled_embeddings[sample.id] = np.asarray(embedding, dtype=np.float64)
        return True
