"""Probabilities for labelled texts by a model that did not learn from the label it judges.

The model in service may have learnt from the very labels that are to be checked, and would agree
with a wrong one. So a logistic regression over the stored embeddings is fitted anew for each fold,
without the fold, and asked about it. Texts that are the same stay in one fold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from jobsentinel.contract.errors import InvalidInput

FOLDS = 5
_C = 10.0
"""Unit embeddings have small coordinates, so the usual 1 would flatten all probabilities."""
_MAX_ITER = 1_000

Floats = NDArray[np.float64]


def cross_validated(
    embeddings: Floats,
    labels: NDArray[np.intp],
    *,
    groups: Sequence[str],
    folds: int = FOLDS,
    seed: int = 0,
) -> Floats:
    """Return (n, c) probabilities, each row by a model fitted without that row's fold.

    Args:
        embeddings: (n, d).
        labels: (n,) classes from 0 to c - 1, each with ``folds`` rows or more of its own groups.
        groups: n names; rows with the same name are never apart.

    Raises:
        InvalidInput: fewer than two classes, or one that some fold's model would never see.
    """
    count = int(labels.max()) + 1 if len(labels) else 0
    if count < 2:
        raise InvalidInput("labels", f"are of {count} classes; two or more can be compared")
    fold = fold_of(labels, groups, folds=folds, seed=seed)
    found = np.zeros((len(labels), count))
    with threadpool_limits(1):
        for at in range(folds):
            inside = fold == at
            if not inside.any():
                continue
            seen = np.unique(labels[~inside])
            if len(seen) < count:
                missing = sorted(set(range(count)) - set(seen.tolist()))
                raise InvalidInput("labels", f"of class {missing[0]} are too few for {folds} folds")
            model = LogisticRegression(C=_C, max_iter=_MAX_ITER)
            model.fit(embeddings[~inside], labels[~inside])
            found[inside] = model.predict_proba(embeddings[inside])
    return found


def fold_of(
    labels: NDArray[np.intp], groups: Sequence[str], *, folds: int = FOLDS, seed: int = 0
) -> NDArray[np.intp]:
    """Return (n,) the fold of each row: groups are dealt out class by class, in a drawn order."""
    first: dict[str, int] = {}
    for row, group in enumerate(groups):
        first.setdefault(group, row)
    names = list(first)
    order = np.random.default_rng(seed).permutation(len(names))
    by_class = sorted(order.tolist(), key=lambda at: int(labels[first[names[at]]]))
    dealt = {names[at]: place % folds for place, at in enumerate(by_class)}
    return np.array([dealt[group] for group in groups], dtype=np.intp)
