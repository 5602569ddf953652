"""What the rows of a dataset hold, in a few numbers for people."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from jobsentinel.contract.base import Message
from jobsentinel.contract.datasets import TARGET_OF, DatasetTask
from jobsentinel.contract.training_rows import MultiTaskRow


class Summary:
    """Counts row after row: of classes, of the tasks that have an answer, or what numbers span."""

    def __init__(self, task: DatasetTask) -> None:
        self._task = task
        self._counts: Counter[str] = Counter()
        self._lowest, self._highest, self._sum, self._rows = math.inf, -math.inf, 0.0, 0

    def add(self, row: Message) -> None:
        """Count the next row."""
        if isinstance(row, MultiTaskRow):
            self._counts.update(_answered(row))
        elif self._task == "classification":
            self._counts[getattr(row, TARGET_OF[self._task])] += 1
        else:
            self._span(getattr(row, TARGET_OF[self._task]))

    def _span(self, value: float | None) -> None:
        if value is None:
            return  # a pair that belongs together, without a score
        self._lowest, self._highest = min(self._lowest, value), max(self._highest, value)
        self._sum += value
        self._rows += 1

    def as_json(self) -> dict[str, Any]:
        """Return the numbers, the most frequent first."""
        if self._task == "multi-task":
            return {"answers": dict(self._counts.most_common())}
        if self._task == "classification":
            return {"classes": dict(self._counts.most_common())}
        if not self._rows:
            return {}
        mean = self._sum / self._rows
        if not math.isfinite(mean):
            return {"lowest": self._lowest, "highest": self._highest}  # too large to be added up
        return {"lowest": self._lowest, "mean": mean, "highest": self._highest}


def _answered(row: MultiTaskRow) -> list[str]:
    known = row.model_dump(exclude={"text", "labels"}, exclude_none=True)
    return [*known, *row.labels]
