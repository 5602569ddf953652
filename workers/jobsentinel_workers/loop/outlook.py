"""What a loop sees at this moment, and what its trigger says to that.

After a training, whatever came of it, counting starts anew: one that failed or that the gate
refused is not repeated for the same labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from jobsentinel.contract.limits import MIN_TRAINING_ROWS
from jobsentinel_workers.active_learning.accuracy_drop import AccuracyDrop
from jobsentinel_workers.active_learning.drift import Drift
from jobsentinel_workers.active_learning.retraining import RetrainingDecision, RetrainingTrigger
from jobsentinel_workers.loop.baselines import Circle
from jobsentinel_workers.loop.label_counts import LabelCounts, count_labels
from jobsentinel_workers.store.loops import Loop

_SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """The numbers of a loop, and the decision on them."""

    counts: LabelCounts
    accuracy: AccuracyDrop
    drift: Drift | None
    trigger: RetrainingTrigger
    decision: RetrainingDecision


def look(connection: Connection, circle: Circle, now: datetime | None = None) -> Outlook:
    """Return what a loop sees; nothing is written.

    Raises:
        InvalidInput: the stored limits are none.
        CorruptVector: a stored embedding is damaged.
    """
    loop = circle.loop
    trigger = RetrainingTrigger.from_json(loop.trigger)
    counts = count_labels(connection, loop.kind, tried_up_to(loop))
    accuracy = circle.accuracy(connection, trigger.error_rate)
    drift = None if trigger.max_drift is None else circle.drift(connection)
    decision = trigger.decide(
        new_labels=counts.new,
        days_since_training=_days_since(_last(loop), now or datetime.now(UTC)),
        classes=counts.classes,
        accuracy=accuracy,
        drift=drift,
    )
    return Outlook(counts, accuracy, drift, trigger, _if_enough(decision, counts))


def tried_up_to(loop: Loop) -> int:
    """Return the change number up to which labels were learnt, or tried in vain."""
    attempt = loop.baseline.get("attempt", {})
    return max(loop.last_label_seq, int(attempt.get("label_seq", 0)))


def _last(loop: Loop) -> str:
    attempt = loop.baseline.get("attempt", {})
    return max(loop.trained_at or loop.created_at, str(attempt.get("at", "")))


def _days_since(moment: str, now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(moment)).total_seconds() / _SECONDS_A_DAY)


def _if_enough(decision: RetrainingDecision, counts: LabelCounts) -> RetrainingDecision:
    numbers = {**decision.numbers, "total_labels": counts.total}
    if counts.total >= MIN_TRAINING_ROWS:
        return replace(decision, numbers=numbers)
    reason = f"{counts.total} of the {MIN_TRAINING_ROWS} labelled postings that a training needs"
    return RetrainingDecision(False, reason, numbers)
