"""Which labels are probably wrong, by confident learning.

After Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
JAIR 2021, arXiv 1911.00068. It reads out-of-sample probabilities only and knows nothing of the
model. Each class has a threshold, the mean probability of that class over what is labelled so. A
label is counted as another class where that class's probability reaches its threshold; the counts
are the confident joint, and scaled to the labels of each class they estimate how many are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Suspicion:
    """What confident learning finds in n labels of c classes.

    Attributes:
        joint: (c, c) estimated counts by given label (row) and true label (column); its sum is n.
        likeliest: (n,) the class each label is held for.
        suspicious: rows of the labels held wrong, the worst first.
        margins: (n,) normalised margin, from 0 to 1: 0.5 where the label and the likeliest other
            class are equally probable, less where the other is more so.
        self_confidences: (n,) the probability of the given label.
    """

    joint: Floats
    likeliest: Indices
    suspicious: Indices
    margins: Floats
    self_confidences: Floats

    @property
    def wrong_share(self) -> float:
        """The estimated share of wrong labels."""
        total = float(self.joint.sum())
        return 1.0 - float(np.trace(self.joint)) / total if total else 0.0


def find_suspicious(labels: NDArray[np.integer], probabilities: Floats) -> Suspicion:
    """Return which of the labels are probably wrong.

    Of each pair of classes, as many labels are held wrong as the joint estimates, those with the
    greatest difference of probabilities first ("prune by noise rate" in the paper), and only where
    the other class is more probable than the label.

    Args:
        labels: (n,) classes from 0 to c - 1.
        probabilities: (n, c) of a model that has not learnt from the label that it judges.

    Raises:
        InvalidInput: shapes that do not fit, values that are no probabilities, or a label that is
            no class.
    """
    given, p = _checked(labels, probabilities)
    joint = calibrated(confident_joint(given, p), given)
    rows = np.arange(len(given))
    own = p[rows, given]
    others = p.copy()
    others[rows, given] = -1.0
    other = others.argmax(axis=1)
    margins = (own - others[rows, other] + 1.0) / 2.0
    wrong = _by_noise_rate(given, p, joint)
    order = np.lexsort((rows[wrong], own[wrong], margins[wrong]))
    return Suspicion(
        joint, np.where(own >= p[rows, other], given, other), wrong[order], margins, own
    )


def thresholds(labels: Indices, probabilities: Floats) -> Floats:
    """Return each class's mean probability over what is labelled so; 1 for a class without labels.

    This is equation 2 of the paper.
    """
    count = probabilities.shape[1]
    found = np.ones(count)
    for at in range(count):
        mine = labels == at
        if mine.any():
            found[at] = probabilities[mine, at].mean()
    return found


def confident_joint(labels: Indices, probabilities: Floats) -> Floats:
    """Return (c, c) counts of labels (row) that are confidently of a class (column).

    A row is counted for the likeliest of the classes whose threshold it reaches, and not at all if
    it reaches none: equation 1 of the paper.
    """
    count = probabilities.shape[1]
    reached = np.where(probabilities >= thresholds(labels, probabilities), probabilities, -1.0)
    best = reached.argmax(axis=1)
    counted = reached.max(axis=1) >= 0
    joint = np.zeros((count, count))
    np.add.at(joint, (labels[counted], best[counted]), 1.0)
    return joint


def calibrated(joint: Floats, labels: Indices) -> Floats:
    """Return the confident joint with each row scaled to the number of labels of its class.

    A class of which no label was counted is taken to be right. After equation 3 of the paper,
    which divides by n besides.
    """
    sizes = np.bincount(labels, minlength=len(joint)).astype(np.float64)
    counts = joint.copy()
    empty = counts.sum(axis=1) == 0
    counts[empty, np.flatnonzero(empty)] = 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True) * sizes[:, np.newaxis])


def _by_noise_rate(labels: Indices, probabilities: Floats, joint: Floats) -> Indices:
    wrong: set[int] = set()
    for given, true in np.argwhere(joint > 0):
        count = round(float(joint[given, true]))
        if given == true or not count:
            continue
        mine = np.flatnonzero(labels == given)
        gaps = probabilities[mine, true] - probabilities[mine, given]
        worst = np.lexsort((mine, -gaps))[:count]
        wrong.update(int(mine[at]) for at in worst if gaps[at] > 0)
    return np.array(sorted(wrong), dtype=np.intp)


def _checked(labels: NDArray[np.integer], probabilities: Floats) -> tuple[Indices, Floats]:
    given, p = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or given.shape != (len(p),):
        raise InvalidInput(
            "probabilities", f"must be (n, c) beside n labels, not {p.shape} beside {given.shape}"
        )
    if not np.isfinite(p).all() or (p < 0).any() or (p > 1 + _SUM_TOLERANCE).any():
        raise InvalidInput("probabilities", "must be from 0 to 1")
    off = np.flatnonzero(np.abs(p.sum(axis=1) - 1.0) > _SUM_TOLERANCE)
    if len(off):
        raise InvalidInput(f"probabilities.{off[0]}", f"must sum to 1, not {p[off[0]].sum():.4g}")
    if not np.issubdtype(given.dtype, np.integer) or (
        len(given) and not 0 <= given.min() <= given.max() < p.shape[1]
    ):
        raise InvalidInput("labels", f"must be classes from 0 to {p.shape[1] - 1}")
    return given.astype(np.intp), p
