"""How the metrics of two versions differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric of two versions; None where a version does not have it."""

    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        """``second - first``, or None unless both versions have the metric."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first


def compare_metrics(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, MetricChange]:
    """Pair the numbers of two metric trees by dotted path, such as ``validation.macro_f1``."""
    left, right = dict(_numbers(first)), dict(_numbers(second))
    return {path: MetricChange(left.get(path), right.get(path)) for path in sorted({*left, *right})}


def _numbers(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", float(value)
