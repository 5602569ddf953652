"""What people label: samples, and what a query made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from numpy.typing import NDArray

from jobsentinel_workers.active_learning.selection import Selection

Label: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A text that may be labelled.

    Attributes:
        id: unique within a pool; labels are kept under it.
        probabilities: the model's, one a class: by name, or a row of numbers. Computed if missing.
        embedding: (d,) from the model's encoder. Computed if missing.
        value: what the model predicts where labels are numbers. Computed if missing.
    """

    id: str
    text: str
    probabilities: Mapping[str, float] | Sequence[float] | NDArray[Any] | None = None
    embedding: Sequence[float] | NDArray[Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    value: float | None = None


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The samples to label next, and what the strategy thought of all others.

    Attributes:
        selected_samples: in the order in which to label them.
        reasons: why each of them was chosen, in the same order.
        scores: acquisition score of every candidate by id.
        already_labelled: ids in the pool that were not candidates, because they have a label.
        selection_time_ms: time the strategy took, without computing what was missing.
        reserved_by_others: ids in the pool that were not candidates, because somebody else was
            given them to label.
        batch_id: under which a store reserved the samples.
        reserved_until: when others may get them, unless they are labelled by then.
    """

    selected_samples: list[Sample]
    reasons: list[str]
    scores: dict[str, float]
    strategy: str
    seed: int
    num_candidates: int
    already_labelled: list[str]
    selection_time_ms: float
    selection: Selection
    reserved_by_others: list[str] = field(default_factory=list)
    batch_id: str | None = None
    reserved_until: datetime | None = None

    def __len__(self) -> int:
        return len(self.selected_samples)
