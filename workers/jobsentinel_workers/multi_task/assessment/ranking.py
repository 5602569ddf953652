"""Precision-recall and ROC curves over weighted rows, sorted once for all resamples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


class Ranking(NamedTuple):
    """Items by falling score.

    Attributes:
        order: (m,) the row of each item.
        yes: places at which the item is yes.
        ends: the last place of each score; items with one score are told apart by nothing.
        ends_with_yes: those of scores that some yes has.
    """

    order: Places
    yes: Places
    ends: Places
    ends_with_yes: Places


class Curve(NamedTuple):
    """(r, k) weight of yes and of no from the highest score down to each end, and (r, 1) of all."""

    yes: FloatArray
    no: FloatArray
    all_yes: FloatArray
    all_no: FloatArray


def rank(scores: FloatArray, targets: FloatArray) -> Ranking:
    """Return the ranking of scores with 0/1 targets: (n,), or (n, c) with c items a row."""
    order = np.argsort(-scores, axis=None, kind="stable")
    yes = np.flatnonzero(targets.ravel()[order] > 0.5)
    ends = np.append(np.flatnonzero(np.diff(scores.ravel()[order])), scores.size - 1)
    ends_with_yes = ends[np.unique(np.searchsorted(ends, yes))]
    return Ranking(order // (scores.size // len(scores)), yes, ends, ends_with_yes)


def curve(ranking: Ranking, weights: FloatArray, ends: Places) -> Curve:
    """Return the curve at ``ends`` under (r, n) weights of the rows."""
    ordered = weights[:, ranking.order]
    everything = np.cumsum(ordered, axis=1)
    above = np.cumsum(ordered[:, ranking.yes], axis=1)
    above = np.concatenate([np.zeros((len(above), 1)), above], axis=1)
    yes = above[:, np.searchsorted(ranking.yes, ends, side="right")]
    all_yes = above[:, -1:]
    return Curve(yes, everything[:, ends] - yes, all_yes, everything[:, -1:] - all_yes)


def precision_and_recall(
    curve: Curve, base_rate: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return (r, k) precision and recall, as if a share ``base_rate`` of the rows were yes."""
    recall = _share(curve.yes, curve.all_yes)
    yes, no = curve.yes, curve.no
    if base_rate is not None:
        yes, no = base_rate * recall, (1 - base_rate) * _share(no, curve.all_no)
    return _share(yes, yes + no), recall


def average_precision(
    ranking: Ranking, weights: FloatArray, base_rate: float | None = None
) -> FloatArray:
    """Return the (r,) areas under the precision-recall curve, NaN without both yes and no."""
    found = curve(ranking, weights, ranking.ends_with_yes)
    precision, recall = precision_and_recall(found, base_rate)
    return _where_both(found, (np.diff(recall, axis=1, prepend=0.0) * precision).sum(axis=1))


def roc_auc(ranking: Ranking, weights: FloatArray) -> FloatArray:
    """Return the (r,) areas under the ROC curve, NaN without both yes and no."""
    found = curve(ranking, weights, ranking.ends)
    below = np.diff(found.no, axis=1, prepend=0.0)
    heights = found.yes - np.diff(found.yes, axis=1, prepend=0.0) / 2
    areas = (below * heights).sum(axis=1, keepdims=True)
    return _where_both(found, _share(areas, found.all_yes * found.all_no)[:, 0])


def _where_both(curve: Curve, values: FloatArray) -> FloatArray:
    return np.where((curve.all_yes > 0) & (curve.all_no > 0), values[:, None], np.nan)[:, 0]


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    # 0 of 0 is 0: no resampled row stands at that score, so its precision is never weighed.
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
