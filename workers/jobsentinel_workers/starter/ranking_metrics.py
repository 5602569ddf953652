"""How good a ranking is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ndcg_at(grades: Sequence[float], ideal: Sequence[float], cutoff: int = 10) -> float:
    """Return nDCG of ``grades`` in ranked order against ``ideal``, all grades there are.

    Source: Järvelin and Kekäläinen 2002, with linear gains.
    """
    best = _dcg(sorted(ideal, reverse=True)[:cutoff])
    return _dcg(grades[:cutoff]) / best if best else 0.0


def _dcg(grades: Sequence[float]) -> float:
    discounts = np.log2(np.arange(2, len(grades) + 2))
    return float((np.asarray(grades, dtype=np.float64) / discounts).sum())


def reciprocal_rank_at(grades: Sequence[float], cutoff: int = 10) -> float:
    """Return one over the rank of the first document of grade 1; 0 if it is not in the cutoff."""
    for rank, grade in enumerate(grades[:cutoff], start=1):
        if grade >= 1:
            return 1.0 / rank
    return 0.0


def paired_p_value(first: Sequence[float], second: Sequence[float], seed: int = 0) -> float:
    """Return the two-sided p-value of the mean difference, by 10,000 random sign flips."""
    differences = np.asarray(first) - np.asarray(second)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (10_000, len(differences)))
    flipped = np.abs((signs * differences).mean(axis=1))
    return float((1 + (flipped >= abs(differences.mean()) - 1e-12).sum()) / 10_001)
