"""The state of a circle for people: what it sees now, how its last training went, what comes next.

Nothing is computed anew but counts: drift is told as the last check found it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from jobsentinel_workers.active_learning.accuracy_drop import Tally
from jobsentinel_workers.loop.attempts import in_words
from jobsentinel_workers.loop.baselines import Circle
from jobsentinel_workers.loop.outlook import Outlook, look
from jobsentinel_workers.loop.versions import Versions
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.store import runs
from jobsentinel_workers.store.loops import Loop
from jobsentinel_workers.store.runs import Run


@dataclass(frozen=True, slots=True)
class Report:
    """One loop at this moment."""

    loop: Loop
    versions: Versions
    outlook: Outlook
    run: Run | None
    check_s: float

    @classmethod
    def of(
        cls, connection: Connection, registry: ModelRegistry, loop: Loop, check_s: float
    ) -> Report:
        """Read what there is to tell.

        Raises:
            InvalidInput: the stored limits are none.
        """
        versions = Versions.of(registry, loop.model)
        outlook = look(connection, Circle(loop, versions, None))
        run = None if loop.run_id is None else runs.get(connection, loop.run_id)
        return cls(loop, versions, outlook, run, check_s)

    def in_words(self) -> dict[str, str]:
        """Return the state in sentences, by what each is about."""
        return {
            "loop": f"labels of {self.loop.kind} teach {self.loop.model}",
            "labels": self._labels(),
            "in service": self._in_service(),
            "accuracy": self._accuracy(),
            "drift": self._drift(),
            "last training": self._last_training(),
            "last check": self._last_check(),
            "next": self._next(),
        }

    def to_json(self) -> dict[str, Any]:
        """Return all numbers, and the state in words."""
        loop, counts = self.loop, self.outlook.counts
        champion = self.versions.champion
        return {
            "kind": loop.kind,
            "model": loop.model,
            "active": loop.active,
            "labels": {"total": counts.total, "new": counts.new, "classes": counts.classes},
            "version": None if champion is None else champion.version,
            "accuracy": self.outlook.accuracy.to_json(),
            "drift": self._last_numbers().get("drift"),
            "trigger": self.outlook.trigger.to_json(),
            "training": loop.training,
            "trained_at": loop.trained_at,
            "last_attempt": loop.baseline.get("attempt"),
            "run_id": loop.run_id,
            "run_state": None if self.run is None else self.run.state,
            "checked_at": loop.checked_at,
            "due": self.outlook.decision.due,
            "reason": self.outlook.decision.reason,
            "words": self.in_words(),
        }

    def _labels(self) -> str:
        counts = self.outlook.counts
        since = "that no training has seen"
        if self.loop.baseline.get("attempt"):
            since = "since the last training"
        return f"{counts.total:,}, {counts.new:,} of them new {since}; {counts.classes:,} different"

    def _in_service(self) -> str:
        champion = self.versions.champion
        if champion is None:
            return "no version yet"
        return f"version {champion.version}" + (" (starter)" if champion.is_builtin else "")

    def _accuracy(self) -> str:
        found = self.outlook.accuracy
        if self.versions.champion is None:
            return "nothing serves yet"
        now = "no random label yet on a posting that this version had scored before"
        if found.now.labels:
            now = f"{_share(found.now)} of what this version had scored before"
        if not found.before.labels:
            return f"{now}; nothing to compare with yet"
        verdict = "a real drop" if found.is_real else "no drop that chance could not make"
        return f"{now}; at the last training {_share(found.before)}: {verdict}"

    def _drift(self) -> str:
        drift, limit = self._last_numbers().get("drift"), self.outlook.trigger.max_drift
        if limit is None:
            return "not looked at"
        if drift is None:
            return "too few postings before or after the last training to tell"
        return (
            f"{drift['effect']:.3f} between {drift['reference']:,} postings before and "
            f"{drift['recent']:,} since (alarm from {limit:g}, p {drift['p_value']:.3f})"
        )

    def _last_training(self) -> str:
        attempt = self.loop.baseline.get("attempt")
        if attempt is None:
            return "none yet"
        return f"{_minute(attempt['at'])}: {in_words(attempt)}"

    def _last_check(self) -> str:
        if self.loop.checked_at is None:
            return "none yet"
        return f"{_minute(self.loop.checked_at)}: {self.loop.decision.get('reason', 'noted')}"

    def _next(self) -> str:
        if not self.loop.active and self.loop.run_id is None:
            return f"not active; `jobsentinel loop start {self.loop.kind}` lets it go on"
        if self.loop.run_id is not None:
            return f"training {self.loop.run_id} {self._state()}; a check notes how it ends"
        checks = f"Celery beat asks for a check every {self.check_s:g} s, and so do new labels"
        if self.outlook.decision.due:
            return f"training is due: {self.outlook.decision.reason}; {checks}"
        return f"{self._what_lacks()}; {checks}"

    def _what_lacks(self) -> str:
        trigger, counts = self.outlook.trigger, self.outlook.counts
        if counts.new < trigger.min_new_labels:
            lacks = f"{trigger.min_new_labels - counts.new:,} more labels make a training due"
            if trigger.max_days is None:
                return lacks
            days = self.outlook.decision.numbers["days_since_training"]
            left = max(0.0, trigger.max_days - days)
            return f"{lacks}, or {'any' if counts.new else 'one'} new label in {left:.1f} days"
        return self.outlook.decision.reason

    def _state(self) -> str:
        if self.run is None:
            return "waits for a worker"
        if self.run.total_steps and self.run.state == "running":
            return f"is at step {self.run.step:,} of {self.run.total_steps:,}"
        return f"is {self.run.state}"

    def _last_numbers(self) -> dict[str, Any]:
        return dict(self.loop.decision.get("numbers") or {})


def _share(tally: Tally) -> str:
    low, high = tally.interval()
    right = f"{tally.hits / tally.labels:.0%} of {tally.labels:,} random labels"
    return f"{right} ({low:.0%} to {high:.0%})"


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"
