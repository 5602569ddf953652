"""What a manager accepts: samples each once, and labels that are plain values."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.samples import Label, Sample


def refuse_repeated_ids(pool: Sequence[Sample]) -> None:
    """Raise InvalidInput if an id is there twice."""
    seen: set[str] = set()
    for at, sample in enumerate(pool):
        if sample.id in seen:
            raise InvalidInput(f"pool.{at}.id", f"{sample.id!r} is in the pool twice")
        seen.add(sample.id)


def refuse_missing(samples: Sequence[Sample], missing: Collection[str], field: str) -> None:
    """Raise InvalidInput if a sample is among those that a store does not have."""
    for at, sample in enumerate(samples):
        if sample.id in missing:
            raise InvalidInput(f"{field}.{at}.id", f"{sample.id!r} is no stored posting")


def check_labels(
    samples: Sequence[Sample], labels: Sequence[Label], seconds_spent: Sequence[Any]
) -> None:
    """Raise InvalidInput if there is not one plain value a sample, and a time or None."""
    if len(samples) != len(labels):
        raise InvalidInput("labels", f"must be {len(samples)}, one a sample, not {len(labels)}")
    if len(seconds_spent) != len(labels):
        problem = f"must be {len(labels)}, one a label, not {len(seconds_spent)}"
        raise InvalidInput("seconds_spent", problem)
    for at, label in enumerate(labels):
        _check_label(label, f"labels.{at}")


def _check_label(label: Any, field: str) -> None:
    if not isinstance(label, str | int | float) or label == "":
        raise InvalidInput(field, "must be text, a number or a truth value, and not empty")
    if isinstance(label, float) and not math.isfinite(label):
        raise InvalidInput(field, "must not be NaN or infinite")
