"""How much better the challenger is than the champion, or than an answer that never changes.

A gain is above 0 where the challenger is better, whichever way the metric goes. It comes from the
paired bootstrap of the evaluation, so the verdict's figures are those of the report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.gate.policy import GatePolicy
from jobsentinel_workers.multi_task.assessment.baselines import constant_baseline
from jobsentinel_workers.multi_task.assessment.bootstrap import (
    CONFIDENCE,
    Groups,
    Interval,
    Resampled,
    resample,
    to_differences,
)
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.multi_task.assessment.judged import HIGH, LOW, Judged
from jobsentinel_workers.multi_task.calibration import COVERAGE

CALIBRATION = "calibration_error"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of a comparison on one task, measured on the same draws.

    Attributes:
        ours: the challenger.
        other: the champion, or a constant answer.
    """

    ours: Resampled
    other: Resampled

    @classmethod
    def of(cls, ours: Judged, other: Judged, groups: Groups | None, policy: GatePolicy) -> Pair:
        """Return the two on as many draws as the policy says.

        Raises:
            InvalidInput: the two did not answer the same question about the same rows.
        """
        _check_same(ours, other)
        resamples, seed = policy.resamples, policy.seed
        drawn = [resample(j, groups=groups, resamples=resamples, seed=seed) for j in (ours, other)]
        return cls(*(_with_calibration(each) for each in drawn))

    def gain(self, metric: str, confidence: float) -> Interval | None:
        """Return the gain in ``metric``, None where the rows do not define it."""
        difference = to_differences(self.ours, self.other).get(metric)
        if difference is None:
            return None
        if METRICS[metric].better == "lower":
            difference = Interval(-difference.value, -difference.high, -difference.low)
        return at_confidence(difference, confidence, self.ours.trials)

    @property
    def says_the_same(self) -> bool:
        """Whether both answer every row alike."""
        return self.ours.judged.answers_like(self.other.judged)


def constant_answer(judged: Judged) -> Judged:
    """Return the best answer that never changes, beside the same truth.

    It is found on the judged rows themselves, which flatters it: whoever beats it beats any.
    """
    constant = constant_baseline(judged.task, judged.targets)
    return constant.judge([""] * judged.rows, judged.targets)


def at_confidence(interval: Interval, confidence: float, trials: int) -> Interval:
    """Return an interval of the evaluation, which is a 95 % one, at another confidence.

    Its arms are stretched as Student's t asks for. A thousand draws say little of the few that lie
    beyond 99 %; the arms rest on all of the tail.
    """
    wanted, given = stdtrit(trials - 1, [0.5 + confidence / 2, 0.5 + CONFIDENCE / 2])
    stretch = float(wanted / given)
    low = interval.value - stretch * (interval.value - interval.low)
    high = interval.value + stretch * (interval.high - interval.value)
    return Interval(interval.value, low, high)


def _check_same(ours: Judged, other: Judged) -> None:
    field = f"judged.{ours.task.name}"
    if (ours.task.type, ours.task.classes) != (other.task.type, other.task.classes):
        raise InvalidInput(field, "must be of one kind with the same classes for both models")
    if not np.array_equal(ours.targets, other.targets):
        raise InvalidInput(field, "must be the same rows in the same order for both models")


def _with_calibration(found: Resampled) -> Resampled:
    """Return the metrics of a task with values with the error of its interval's promise.

    The interval promises to hold eight in ten of the values; how far the share is from that is to
    a value what the calibration error is to a probability.
    """
    if "coverage" not in found.values or not _has_intervals(found.judged):
        return found
    error = abs(found.values["coverage"] - COVERAGE)
    errors = np.abs(found.draws["coverage"] - COVERAGE)
    return replace(
        found,
        values={**found.values, CALIBRATION: error},
        draws={**found.draws, CALIBRATION: errors},
    )


def _has_intervals(judged: Judged) -> bool:
    """Whether the model gives intervals at all; one that does not has low = value = high."""
    return bool((judged.answers[:, HIGH] > judged.answers[:, LOW]).any())
