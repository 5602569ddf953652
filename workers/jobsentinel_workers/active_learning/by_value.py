"""Greedy sampling for a model that predicts a value, such as a salary.

Source: Wu, Lin and Huang, Active learning for regression using greedy sampling, 2019. GSx, their
third method, is k-center greedy, in ``by_distance``. A pick's predicted value stands for its label
until it has one.
"""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.one_by_one import farthest_first
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice
from jobsentinel_workers.active_learning.reasons import explain_product, explain_value
from jobsentinel_workers.active_learning.vectors import blocks, to_distance


def choose_by_value_distance(pool: CheckedPool) -> Choice:
    """Pick predicted values far from those labelled or picked (GSy); scores are in their unit."""
    start = _nearest_value(pool.values, _known_values(pool))

    def distance_to(row: int) -> Floats:
        apart: Floats = np.abs(pool.values - pool.values[row])
        return apart

    scores, order = farthest_first(pool, start, distance_to)
    return scores, pool.with_reasons(
        pool.take(order), lambda row: explain_value(pool.values[row], scores[row])
    )


def choose_by_joint_distance(pool: CheckedPool) -> Choice:
    """Pick the largest product of both distances, of embedding and predicted value (iGS)."""

    def distance_to(row: int) -> Floats:
        product: Floats = to_distance(pool.unit @ pool.unit[row])
        product = product * np.abs(pool.values - pool.values[row])
        return product

    scores, order = farthest_first(pool, _nearest_product(pool), distance_to)
    return scores, pool.with_reasons(
        pool.take(order), lambda row: explain_product(pool.values[row], scores[row])
    )


def _known_values(pool: CheckedPool) -> Floats:
    placed = [each.index for each in pool.placed]
    return np.concatenate((pool.labelled.values, pool.values[placed]))


def _nearest_value(values: Floats, known: Floats) -> Floats:
    ordered = np.sort(known)
    above = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    below = (above - 1).clip(min=0)
    nearest: Floats = np.minimum(np.abs(values - ordered[above]), np.abs(values - ordered[below]))
    return nearest


def _nearest_product(pool: CheckedPool) -> Floats:
    covered, known = pool.covered(), _known_values(pool).astype(np.float32)
    values = pool.values.astype(np.float32)
    nearest = np.empty(pool.size)
    for rows in blocks(pool.size, 1_024):
        apart = to_distance(pool.unit[rows] @ covered.T)
        nearest[rows] = (apart * np.abs(values[rows, None] - known)).min(axis=1)
    return nearest
