"""What a manager remembers of labels, wherever it keeps them: in its process or in a store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from numpy.typing import NDArray

from jobsentinel_workers.active_learning.predictions import LabelledSamples
from jobsentinel_workers.active_learning.samples import Label, Sample
from jobsentinel_workers.active_learning.selection import Pick


@dataclass(frozen=True, slots=True)
class Taken:
    """Ids that are no candidates now.

    Attributes:
        labelled: they have a label.
        reserved: somebody else was given them to label.
        missing: of the samples asked about, those that the memory does not know.
    """

    labelled: Collection[str]
    reserved: Collection[str] = frozenset()
    missing: Collection[str] = frozenset()

    def __contains__(self, id_: str) -> bool:
        """Return whether a sample is not to be handed out."""
        return id_ in self.labelled or id_ in self.reserved or id_ in self.missing


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What is to be handed out: samples in order, each with its pick and, if known, embedding."""

    strategy: str
    samples: Sequence[Sample]
    picks: Sequence[Pick]
    embeddings: Sequence[NDArray[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Handout:
    """A batch that was handed out: until when nobody else gets its samples, and its name."""

    batch_id: str | None = None
    reserved_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far labelling came.

    Attributes:
        total_labels: samples that have a label.
        new_labels: labels since the last training.
        label_counts: samples by label.
        waiting_since: the last training, or when labelling began.
        details: what else statistics tell.
    """

    total_labels: int
    new_labels: int
    label_counts: Mapping[str, int]
    waiting_since: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


class LabelMemory(Protocol):
    """Keeps labels, and who was given what to label."""

    def taken(self, pool: Sequence[Sample]) -> Taken:
        """Return which of these are no candidates at this moment."""

    def labelled(self, candidates: Sequence[Sample]) -> LabelledSamples:
        """Return what is labelled and has an embedding that compares with the candidates'."""

    def hand_out(self, batch: Batch) -> Handout | None:
        """Hand a batch out whole; None, and nothing done, if part of it was taken meanwhile."""

    def add(
        self,
        samples: Sequence[Sample],
        labels: Sequence[Label],
        seconds_spent: Sequence[float | None],
    ) -> int:
        """Keep labels, all or none, and return how many are new or changed."""

    def labels(self) -> dict[str, Label]:
        """Return the labels by sample id."""

    def progress(self) -> Progress:
        """Return how far labelling came."""

    def mark_retrained(self, last_label_seq: int | None) -> None:
        """Note that a model was trained on the labels so far, or on those up to a number."""
