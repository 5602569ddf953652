"""The comparisons of one task: what has to gain, and what must not lose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jobsentinel_workers.gate.gains import CALIBRATION, Pair
from jobsentinel_workers.gate.latency import Latency
from jobsentinel_workers.gate.policy import GatePolicy
from jobsentinel_workers.gate.verdict import CONSTANT, LATENCY, Comparison, Role
from jobsentinel_workers.multi_task.assessment.bootstrap import Interval
from jobsentinel_workers.multi_task.assessment.catalogue import form, title
from jobsentinel_workers.multi_task.tasks import Task

ROUNDING = 1e-12
"""A gain below this share of the metric is rounding, not gain."""


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """One task of challenger and champion.

    Attributes:
        pair: both on the same draws.
        policy: the limits.
        against: the champion's id, or ``CONSTANT``.
        chances: how many tasks were trained, each of which is a chance to gain by luck; 0 where
            this one was not trained.
    """

    pair: Pair
    policy: GatePolicy
    against: str
    chances: int

    @property
    def metric(self) -> str:
        """The task's main metric."""
        return self.policy.main_metric(self.pair.ours.judged.task)

    def comparisons(self) -> list[Comparison]:
        """Return them all; none where the judged rows do not define the main metric."""
        gain = self.pair.gain(self.metric, self.policy.confidence)
        if gain is None:
            return []
        main = list(self._main())
        # A main metric that gained has not lost.
        has_gained = any(comparison.passed for comparison in main)
        guard = [] if has_gained else [self._guard(gain)]
        return [*main, *guard, *self._calibration()]

    def _main(self) -> Iterator[Comparison]:
        if self.chances:
            confidence = 1 - (1 - self.policy.confidence) / self.chances
            gain = self.pair.gain(self.metric, confidence)
            if gain is not None:
                yield self._above(gain, "main", confidence)

    def _guard(self, gain: Interval) -> Comparison:
        if self.against == CONSTANT:
            return self._above(gain, "guard", self.policy.confidence)
        return self._at_least(self.metric, gain, -self._tolerated())

    def _calibration(self) -> Iterator[Comparison]:
        # A constant answer is calibrated by its making, and of no use.
        gain = self.pair.gain(CALIBRATION, self.policy.confidence)
        if self.against != CONSTANT and gain is not None:
            yield self._at_least(CALIBRATION, gain, -self.policy.max_calibration_loss)

    def _tolerated(self) -> float:
        if form(self.metric, self.pair.ours.judged.task) != "value":
            return self.policy.max_loss
        return self.policy.max_relative_loss * abs(self.pair.other.values[self.metric])

    def _above(self, gain: Interval, role: Role, confidence: float) -> Comparison:
        task = self.pair.ours.judged.task
        return Comparison(
            task=task.name,
            metric=self.metric,
            title=title(self.metric, task),
            form=form(self.metric, task),
            role=role,
            against=self.against,
            value=gain.value,
            low=gain.low,
            high=gain.high,
            confidence=confidence,
            bound=0.0,
            needs="above",
            passed=gain.low > self._rounding(self.metric),
        )

    def _at_least(self, metric: str, gain: Interval, bound: float) -> Comparison:
        task = self.pair.ours.judged.task
        looked_at = gain.value if self.policy.guard_by == "estimate" else gain.low
        return Comparison(
            task=task.name,
            metric=metric,
            title=_title(metric, task),
            form=form(metric, task),
            role="guard",
            against=self.against,
            value=gain.value,
            low=gain.low,
            high=gain.high,
            confidence=self.policy.confidence,
            bound=bound,
            needs="at_least",
            passed=looked_at >= bound - self._rounding(metric),
        )

    def _rounding(self, metric: str) -> float:
        return ROUNDING * max(1.0, abs(self.pair.other.values[metric]))


def _title(metric: str, task: Task) -> str:
    if metric == CALIBRATION and task.has_values:
        return "Coverage error"
    return title(metric, task)


def compare_latency(latency: Latency, against: str, policy: GatePolicy) -> Comparison:
    """Return the comparison of both models' time a text."""
    gain, bound = 1 - latency.ratio, 1 - policy.max_latency_ratio
    return Comparison(
        task="",
        metric=LATENCY,
        title="latency",
        form="score",
        role="guard",
        against=against,
        value=gain,
        low=None,
        high=None,
        confidence=None,
        bound=bound,
        needs="at_least",
        passed=gain >= bound - ROUNDING,
    )
