"""Gradients of a linear softmax head, as if a candidate had got its label.

For probabilities p, label y and input x the loss's gradient is (p - e_y) x', whose length is
|p - e_y| |x|. None of these c x d matrices is ever built.
"""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.active_learning.checks import Floats, Vectors


def expected_gradient_length(probabilities: Floats, lengths: Floats) -> Floats:
    """Return the gradient's length expected under the model's own probabilities, (n,).

    In closed form: |p - e_y|^2 = |p|^2 - 2 p_y + 1. Source: Settles, Craven and Ray,
    Multiple-instance active learning, 2008.

    Args:
        lengths: (n,) lengths of the inputs; 1 for unit embeddings.
    """
    squares = np.einsum("nc,nc->n", probabilities, probabilities)
    apart = np.sqrt(np.maximum(squares[:, None] - 2.0 * probabilities + 1.0, 0.0))
    expected: Floats = np.einsum("nc,nc->n", probabilities, apart) * lengths
    return expected


class GradientEmbeddings:
    """The gradients (n, c x d) under the likeliest label, kept as their two factors.

    Squared distances are n_i + n_j - 2 (g_i . g_j)(x_i . x_j), with g the (n, c) errors and x the
    inputs. Source: Ash et al., Deep batch active learning by diverse, uncertain gradient lower
    bounds (BADGE), 2020.
    """

    def __init__(self, probabilities: Floats, unit: Vectors, lengths: Floats) -> None:
        errors = probabilities.copy()
        errors[np.arange(len(errors)), probabilities.argmax(axis=1)] -= 1.0
        # The inputs' lengths go to the errors, so that the embeddings are not copied.
        self._errors = errors * lengths[:, None]
        self._unit = unit
        self.squared_lengths: Floats = np.einsum("nc,nc->n", self._errors, self._errors)

    def squared_distances(self, row: int) -> Floats:
        """Return the squared distance (n,) of every gradient to that of ``row``."""
        products = (self._errors @ self._errors[row]) * (self._unit @ self._unit[row])
        sums = self.squared_lengths + self.squared_lengths[row]
        squares: Floats = sums - 2.0 * products
        # A unit vector times itself is 1 only up to float32's rounding.
        squares[squares < 1e-6 * sums] = 0.0
        return squares
