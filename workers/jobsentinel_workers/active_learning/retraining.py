"""When it pays to train again: enough new labels, some that wait, worse answers, other postings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.accuracy_drop import ERROR_RATE, AccuracyDrop
from jobsentinel_workers.active_learning.drift import Drift


@dataclass(frozen=True, slots=True)
class RetrainingDecision:
    """Whether to train, why or why not, and the numbers that this rests on."""

    due: bool
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"due": self.due, "reason": self.reason, "numbers": dict(self.numbers)}


@dataclass(frozen=True, slots=True)
class RetrainingTrigger:
    """Train when there are enough new labels, some that have waited long enough, or an alarm.

    An alarm is accuracy that dropped or postings that drifted. It too needs some new labels: a
    training without any would learn the same again.

    Attributes:
        min_new_labels: labels since the last training that suffice on their own.
        max_days: after so many days a single new label suffices; None waits for the count.
        min_classes: different labels without which training cannot work.
        max_drop: accuracy on randomly drawn labels may fall by so much; None never looks.
        error_rate: chance that a drop is ever seen, between two trainings, where there is none.
        max_drift: the drift's effect may be so large; None never looks.
        drift_p: a drift whose p-value is above this may be chance.
        alarm_labels: new labels that suffice in an alarm.
    """

    min_new_labels: int = 50
    max_days: float | None = 7.0
    min_classes: int = 2
    max_drop: float | None = 0.05
    error_rate: float = ERROR_RATE
    max_drift: float | None = 0.01
    drift_p: float = 0.01
    alarm_labels: int = 10

    def __post_init__(self) -> None:
        for name in ("min_new_labels", "min_classes", "alarm_labels"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidInput(name, "must be a whole number, 1 or more")
        if self.max_days is not None and not (_is_number(self.max_days) and self.max_days > 0):
            raise InvalidInput("max_days", "must be a number of days above 0, or None")
        for name in ("max_drop", "max_drift"):
            _check_share(name, getattr(self, name), "must be above 0 and below 1, or None")
        for name in ("error_rate", "drift_p"):
            if getattr(self, name) is None:
                raise InvalidInput(name, "must be above 0 and below 1")
            _check_share(name, getattr(self, name), "must be above 0 and below 1")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the trigger that `to_json` wrote; what is absent is the default.

        Raises:
            InvalidInput: a limit is unknown or out of bounds.
        """
        if unknown := sorted(set(values) - {each.name for each in fields(cls)}):
            raise InvalidInput(unknown[0], "is no limit of the trigger")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def decide(
        self,
        *,
        new_labels: int,
        days_since_training: float,
        classes: int,
        accuracy: AccuracyDrop | None = None,
        drift: Drift | None = None,
    ) -> RetrainingDecision:
        """Return whether training is due.

        Args:
            new_labels: labels added or changed since the last training.
            days_since_training: since the last training, or since labelling began.
            classes: different labels there are in all.
            accuracy: on randomly drawn labels, since the last training beside before it.
            drift: of postings since the last training from those before it.
        """
        numbers = {
            "new_labels": new_labels,
            "days_since_training": days_since_training,
            "classes": classes,
            "accuracy": None if accuracy is None else accuracy.to_json(),
            "drift": None if drift is None else drift.to_json(),
        }
        alarms = [*self._drop(accuracy), *self._drifted(drift)]
        due, reason = self._judge(new_labels, days_since_training, classes, alarms)
        return RetrainingDecision(due, reason, numbers)

    def _judge(
        self, new_labels: int, days: float, classes: int, alarms: list[str]
    ) -> tuple[bool, str]:
        if classes < self.min_classes:
            return False, f"only {classes} of {self.min_classes} classes seen"
        if new_labels >= self.min_new_labels:
            return True, "; ".join([f"{new_labels} new labels", *alarms])
        if alarms and new_labels >= self.alarm_labels:
            return True, "; ".join([*alarms, f"{new_labels} new labels"])
        if self.max_days is not None and new_labels and days >= self.max_days:
            return True, f"{new_labels} new labels have waited {days:.1f} days"
        waiting = f"{new_labels} of {self.min_new_labels} new labels"
        if alarms:
            waiting = f"{new_labels} of the {self.alarm_labels} new labels that an alarm needs"
        return False, "; ".join([waiting, *alarms])

    def _drop(self, accuracy: AccuracyDrop | None) -> list[str]:
        if self.max_drop is None or accuracy is None or accuracy.drop is None:
            return []
        if accuracy.drop < self.max_drop or not accuracy.is_real:
            return []
        before, now = accuracy.before, accuracy.now
        return [
            f"accuracy on random labels fell from {before.accuracy:.0%} of {before.labels} to "
            f"{now.accuracy:.0%} of {now.labels}"
        ]

    def _drifted(self, drift: Drift | None) -> list[str]:
        if self.max_drift is None or drift is None:
            return []
        if drift.effect < self.max_drift or drift.p_value > self.drift_p:
            return []
        return [f"new postings are unlike those before (drift {drift.effect:.3f})"]


def _check_share(name: str, value: object, problem: str) -> None:
    if value is not None and not (_is_number(value) and 0 < value < 1):  # type: ignore[operator]  # a number by the check before
        raise InvalidInput(name, problem)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
