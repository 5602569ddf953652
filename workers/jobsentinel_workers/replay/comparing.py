"""What a replay found: each strategy's curve with intervals, its area, and the labels it saves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jobsentinel_workers.multi_task.assessment.bootstrap import Interval, percentiles
from jobsentinel_workers.replay.circle import BASELINE
from jobsentinel_workers.replay.learning_curves import Floats, LearningCurves
from jobsentinel_workers.replay.savings import Saving, saving
from jobsentinel_workers.reranking.query_resampling import (
    difference_interval,
    mean_draws,
    paired_p_values,
)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One strategy by one measure.

    Attributes:
        mean: (p,) over the seeds, between ``low`` and ``high``, its 95 % interval.
        area: mean of the curve over the labels, which sums up all of it.
        gain: area minus that of the baseline with the same seed; None of the baseline itself.
        p_value: of the gain, by flipping the signs of the seeds' differences at random.
        p_holm: the same, corrected for the number of strategies (Holm 1979).
        saving: labels saved at the baseline's final quality.
    """

    strategy: str
    mean: Floats
    low: Floats
    high: Floats
    area: float
    gain: Interval | None
    p_value: float | None
    p_holm: float | None
    saving: Saving

    @property
    def verdict(self) -> str:
        """Whether the area is told from that of the baseline."""
        if self.gain is None or self.p_holm is None or self.p_holm > 0.05:
            return ""
        return "better" if self.gain.value > 0 else "worse"

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "low", "high")}
        rest = {
            "strategy": self.strategy,
            "area": self.area,
            "gain": None if self.gain is None else asdict(self.gain),
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "saving": asdict(self.saving),
        }
        return rest | arrays


def compare(curves: LearningCurves, measure: str, seed: int = 0) -> list[Found]:
    """Return what each strategy achieves by ``measure``, in the order of the curves."""
    values = curves.values[measure]
    baseline = curves.strategies.index(BASELINE)
    # One draw of the seeds for all strategies and labels: (r, strategies, p).
    draws = mean_draws(np.moveaxis(values, 1, 0), seed)
    areas = _areas(curves.label_counts, values)
    gaps = areas - areas[baseline]
    gap_draws = _areas(curves.label_counts, draws) - _areas(
        curves.label_counts, draws[:, [baseline]]
    )
    p_values = _p_values(gaps, baseline, seed)
    corrected = _holm(p_values)
    means, seeds = values.mean(axis=1), len(curves.seeds)
    return [
        Found(
            name,
            means[at],
            *_band(means[at], draws[:, at], seeds),
            float(areas[at].mean()),
            difference_interval(gaps[at], gap_draws[:, at]) if name != BASELINE else None,
            p_values.get(at),
            corrected.get(at),
            saving(
                curves.label_counts,
                means[at],
                means[baseline],
                draws=draws[:, at],
                baseline_draws=draws[:, baseline],
                seeds=seeds,
            ),
        )
        for at, name in enumerate(curves.strategies)
    ]


def _areas(counts: Floats, curves: Floats) -> Floats:
    """Return the mean height of (..., p) curves between the first and the last count."""
    areas: Floats = np.trapezoid(curves, counts, axis=-1) / (counts[-1] - counts[0])
    return areas


def _band(mean: Floats, draws: Floats, seeds: int) -> tuple[Floats, Floats]:
    ends = np.array([percentiles(column, seeds) for column in draws.T])
    return np.minimum(ends[:, 0], mean), np.maximum(ends[:, 1], mean)


def _p_values(gaps: Floats, baseline: int, seed: int) -> dict[int, float]:
    found = paired_p_values(gaps.T, seed)
    return {at: float(p) for at, p in enumerate(found) if at != baseline}


def _holm(p_values: dict[int, float]) -> dict[int, float]:
    """Return p-values that hold for all tests at once (Holm 1979)."""
    corrected: dict[int, float] = {}
    largest = 0.0
    for done, at in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - done) * p_values[at]))
        corrected[at] = largest
    return corrected
