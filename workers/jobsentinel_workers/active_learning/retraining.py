"""When enough has been labelled to train again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jobsentinel.contract.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class RetrainingDecision:
    """Whether to train, and why or why not."""

    due: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RetrainingTrigger:
    """Train when there are enough new labels, or some that have waited long enough.

    Attributes:
        min_new_labels: labels since the last training that suffice on their own.
        max_days: after so many days a single new label suffices; None waits for the count.
        min_classes: different labels without which training cannot work.
    """

    min_new_labels: int = 50
    max_days: float | None = 7.0
    min_classes: int = 2

    def __post_init__(self) -> None:
        for name in ("min_new_labels", "min_classes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidInput(name, "must be a whole number, 1 or more")
        if self.max_days is not None and not (math.isfinite(self.max_days) and self.max_days > 0):
            raise InvalidInput("max_days", "must be a number of days above 0, or None")

    def decide(
        self, *, new_labels: int, days_since_training: float, classes: int
    ) -> RetrainingDecision:
        """Return whether training is due.

        Args:
            new_labels: labels added or changed since the last training.
            days_since_training: since the last training, or since labelling began.
            classes: different labels there are in all.
        """
        if classes < self.min_classes:
            return RetrainingDecision(False, f"only {classes} of {self.min_classes} classes seen")
        if new_labels >= self.min_new_labels:
            return RetrainingDecision(True, f"{new_labels} new labels")
        if self.max_days is not None and new_labels and days_since_training >= self.max_days:
            days = f"{days_since_training:.1f} days"
            return RetrainingDecision(True, f"{new_labels} new labels have waited {days}")
        return RetrainingDecision(False, f"{new_labels} of {self.min_new_labels} new labels")
