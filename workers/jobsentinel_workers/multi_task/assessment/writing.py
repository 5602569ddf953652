"""Metrics as people read them: shares in per cent, scores with three decimals, values with units.

A difference of two shares is in percentage points.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobsentinel_workers.multi_task.assessment.bootstrap import Interval
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS, Better, Form

ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "nearer": "→"}
LEGEND = (
    "↑ higher is better, ↓ lower is better, → nearer to the named level is better. In brackets: "
    "95 % interval by bootstrap. Differences of percentages are in percentage points."
)


def write_value(value: float, form: Form) -> str:
    """Return a metric, such as ``87.3 %``."""
    return _numbers([value], form)[0] + _sign(form)


def write_interval(interval: Interval, form: Form) -> str:
    """Return a metric with its interval, such as ``87.3 % [85.1, 89.2]``."""
    value, low, high = _numbers([interval.value, interval.low, interval.high], form)
    return f"{value}{_sign(form)} [{low}, {high}]"


def write_difference(interval: Interval, form: Form) -> str:
    """Return a difference with its interval, such as ``+1.2 [-0.3, +2.5]``."""
    value, low, high = _numbers([interval.value, interval.low, interval.high], form, "+")
    return f"{value} [{low}, {high}]"


def verdict(metric: str, difference: Interval) -> str:
    """Return whether a difference is told from chance, and in whose favour."""
    better = METRICS[metric].better
    if not difference.excludes_zero or better == "nearer":
        return "not told apart"
    return "better" if (difference.value > 0) == (better == "higher") else "worse"


def _sign(form: Form) -> str:
    return " %" if form == "share" else ""


def _numbers(values: Sequence[float], form: Form, sign: str = "") -> list[str]:
    """Return numbers that stand together, with as many decimals as the largest bears."""
    scaled = [100 * value for value in values] if form == "share" else values
    decimals = {"share": 1, "score": 3}.get(form, _decimals(max(map(abs, scaled))))
    return [_write(number, decimals, sign) for number in scaled]


def _decimals(largest: float) -> int:
    """Return the decimals that leave some three figures of a value."""
    return next((n for n, bound in enumerate((100, 10, 1)) if largest >= bound), 3)


def _write(number: float, decimals: int, sign: str) -> str:
    rounded = round(number, decimals)
    # Without the sign of a zero: it is that of a rounding error.
    return f"{rounded:{sign},.{decimals}f}" if rounded else f"{0:.{decimals}f}"
