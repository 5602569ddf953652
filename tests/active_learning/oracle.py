"""scikit-activeml as the oracle, fed with given predictions instead of a fitted model.

Its strategies ask a classifier or a regressor about rows of X. Here X holds the embeddings and the
models look the predictions up, so that both sides see the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skactiveml.base import SkactivemlClassifier, SkactivemlRegressor

Array = NDArray[Any]


class KnownClassifier(SkactivemlClassifier):  # type: ignore[misc]  # the library has no types
    """Gives each row of ``X`` the probabilities in ``known``, keyed by the row's bytes."""

    def __init__(self, known: Mapping[bytes, Array], classes: list[int]) -> None:
        super().__init__(classes=classes)
        self.known = known

    def fit(self, X: Array, y: Array, sample_weight: Array | None = None) -> KnownClassifier:
        """Learn nothing."""
        self.classes_ = np.array(self.classes)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Look the rows up."""
        return np.array([self.known[row.tobytes()] for row in X])

    def predict(self, X: Array) -> Array:
        """Return the likeliest class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class KnownRegressor(SkactivemlRegressor):  # type: ignore[misc]  # the library has no types
    """Gives each row of ``X`` the value in ``known``."""

    def __init__(self, known: Mapping[bytes, float]) -> None:
        super().__init__()
        self.known = known

    def fit(self, X: Array, y: Array, sample_weight: Array | None = None) -> KnownRegressor:
        """Learn nothing."""
        self.fitted_ = True
        return self

    def predict(self, X: Array) -> Array:
        """Look the rows up."""
        return np.array([self.known[row.tobytes()] for row in X])


class Oracle:
    """The pool and what is labelled, as scikit-activeml wants them.

    Rows of ``X`` are the candidates, then what is labelled.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        together = np.concatenate((given["embeddings"], given["labelled_embeddings"]))
        self.X = together / np.linalg.norm(together, axis=1, keepdims=True)
        self.size = len(given["embeddings"])
        self.given = given
        self.classes = list(range(given["probabilities"].shape[1]))

    def y(self, values: Array) -> Array:
        """Return the labels: nan for the candidates."""
        return np.concatenate((np.full(self.size, np.nan), values))

    def classifier(self, probabilities: Array | None = None) -> KnownClassifier:
        """Return the model, or a member of a committee with ``probabilities`` of the pool."""
        own = self.given["probabilities"] if probabilities is None else probabilities
        rows = np.concatenate((own, self.given["labelled_probabilities"]))
        return KnownClassifier(self._known(rows), self.classes).fit(self.X, rows)

    def regressor(self, values: Array | None = None) -> KnownRegressor:
        """Return the model, or a member of a committee with ``values`` of the pool."""
        own = self.given["values"] if values is None else values
        rows = np.concatenate((own, self.given["labelled_values"]))
        return KnownRegressor(self._known(rows)).fit(self.X, rows)

    def _known(self, rows: Array) -> dict[bytes, Any]:
        return {x.tobytes(): row for x, row in zip(self.X, rows, strict=True)}
