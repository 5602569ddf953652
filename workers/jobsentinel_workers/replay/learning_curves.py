"""The curves of all strategies side by side: the same seeds, the same numbers of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.replay.circle import Curve

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LearningCurves:
    """Quality by labels, paired by seed.

    Attributes:
        strategies: the baseline first.
        seeds: s of them.
        label_counts: (p,) numbers of labels that every curve has.
        values: by measure, (strategies, s, p).
        pools: the least and the most rows that a seed could choose from.
        judged: the same of the rows that judged.
    """

    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    label_counts: Floats
    values: dict[str, Floats]
    pools: tuple[int, int]
    judged: tuple[int, int]

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> LearningCurves:
        """Return ``curves``, one for each strategy and seed, where all have a point.

        Raises:
            InvalidInput: a strategy lacks a seed that another has.
        """
        strategies = tuple(dict.fromkeys(curve.strategy for curve in curves))
        seeds = tuple(dict.fromkeys(curve.seed for curve in curves))
        found = {(curve.strategy, curve.seed): curve for curve in curves}
        if missing := [(n, s) for n in strategies for s in seeds if (n, s) not in found]:
            raise InvalidInput("curves", f"lack seed {missing[0][1]} of {missing[0][0]}")
        # Pools differ a little by seed; a smaller one ends with a batch of its own size.
        shared = sorted(set.intersection(*(set(curve.label_counts) for curve in curves)))
        if len(shared) < 2:
            raise InvalidInput("curves", "share fewer than two numbers of labels")
        values = {
            name: np.array(
                [[_at(found[n, s], name, shared) for s in seeds] for n in strategies],
                dtype=np.float64,
            )
            for name in curves[0].measures
        }
        pools = [curve.pool for curve in curves]
        judged = [curve.judged for curve in curves]
        return cls(
            strategies,
            seeds,
            np.array(shared, dtype=np.float64),
            values,
            (min(pools), max(pools)),
            (min(judged), max(judged)),
        )


def _at(curve: Curve, measure: str, counts: list[int]) -> list[float]:
    values = dict(zip(curve.label_counts, curve.measures[measure], strict=True))
    return [values[count] for count in counts]
