"""The head that a replay trains at each step: logistic regression over fixed embeddings.

The fleet's own heads are a layer over the same embeddings, trained by gradient steps in seconds. A
replay trains thousands, so it takes the same linear layer at the exact optimum of its loss, in some
50 ms.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from jobsentinel_workers.replay.labelled_texts import Codes

Floats = npt.NDArray[np.float64]

INVERSE_PENALTY = 10.0
"""``C`` of the regression over embeddings of length 1."""
MAX_ITERATIONS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier: (d, c) weights and (c,) biases of the classes it has seen.

    Attributes:
        seen: positions of these c among all classes.
        classes: how many there are in all.
    """

    weights: Floats
    bias: Floats
    seen: Codes
    classes: int

    def probabilities(self, embeddings: npt.NDArray[np.float32]) -> Floats:
        """Return (n, classes) probabilities; a class that it never saw has none."""
        found = np.zeros((len(embeddings), self.classes))
        found[:, self.seen] = softmax(embeddings @ self.weights + self.bias, axis=1)
        return found


def fit_head(embeddings: npt.NDArray[np.float32], codes: Codes, classes: int) -> Head:
    """Return the head of (n, d) embeddings and their (n,) classes, of which there are two or more.

    The weights lie in the span of the embeddings, so with fewer rows than columns they are sought
    there: the same optimum from a smaller system.
    """
    basis, inner = _in_their_span(embeddings)
    return _fit(basis, inner, codes, classes, None)


def fit_committee(
    embeddings: npt.NDArray[np.float32],
    codes: Codes,
    classes: int,
    *,
    members: int,
    seed: int,
) -> list[Head]:
    """Return heads of which each learns from another bootstrap draw of the rows.

    Source: Abe and Mamitsuka, Query learning strategies using boosting and bagging, 1998. A draw
    that holds one class alone is drawn again, for a head needs two.
    """
    basis, inner = _in_their_span(embeddings)
    rng = np.random.default_rng(seed)
    drawn = (_draw(codes, rng) for _ in range(members))
    return [_fit(basis, inner, codes, classes, counts) for counts in drawn]


def _draw(codes: Codes, rng: np.random.Generator) -> Floats:
    while True:
        rows = rng.integers(0, len(codes), len(codes))
        if len(np.unique(codes[rows])) > 1:
            return np.bincount(rows, minlength=len(codes)).astype(np.float64)


def _in_their_span(embeddings: npt.NDArray[np.float32]) -> tuple[Floats | None, Floats]:
    """Return an orthonormal basis (d, n) of the rows and the rows in it; None where n >= d."""
    rows = embeddings.astype(np.float64)
    if len(rows) >= rows.shape[1]:
        return None, rows
    basis, inner = np.linalg.qr(rows.T)
    return basis, inner.T


def _fit(
    basis: Floats | None, rows: Floats, codes: Codes, classes: int, counts: Floats | None
) -> Head:
    from sklearn.linear_model import LogisticRegression

    kept = slice(None) if counts is None else counts > 0
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        # Few labels of many classes are what a circle begins with.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater")
        model.fit(rows[kept], codes[kept], sample_weight=None if counts is None else counts[kept])
    weights, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # one column says how much more likely the second class is
        weights, bias = np.hstack([0 * weights, weights]), np.array([0.0, bias[0]])
    return Head(weights if basis is None else basis @ weights, bias, model.classes_, classes)
