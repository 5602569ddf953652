"""Whether postings that come in are of another kind than those a model was trained beside.

Embeddings of both are compared by the energy distance: 0 where both come from one distribution,
more the farther apart they lie. With many vectors any trifle is significant, so what counts is
the size of the effect, and chance must be ruled out besides.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobsentinel.contract.errors import InvalidInput

MAX_VECTORS: Final = 300
"""Of each sample, so many are enough; the cost grows with the square."""
MIN_VECTORS: Final = 30
"""Of each sample: with fewer the effect is noise."""
PERMUTATIONS: Final = 999

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far two samples of embeddings lie apart.

    Attributes:
        effect: the energy distance as a share of the mean distance between the samples: about 0
            where they are alike, 1 where each is one point.
        p_value: how often samples that are alike would lie as far apart.
        reference: vectors of the training's time.
        recent: vectors since.
    """

    effect: float
    p_value: float
    reference: int
    recent: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def measure_drift(
    reference: ArrayLike, recent: ArrayLike, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> Drift:
    """Return the drift between two samples of embeddings, (m, d) and (n, d).

    The distance is that of Székely and Rizzo (2013), "Energy statistics: A class of statistics
    based on distances", https://doi.org/10.1016/j.jspi.2013.03.018, without bias by the size of
    the samples; the test permutes which vector belongs to which sample. The same seed gives the
    same answer.

    Raises:
        InvalidInput: not finite, of other dimensions, or not 2 to `MAX_VECTORS` rows each.
    """
    first, second = _checked("reference", reference), _checked("recent", recent)
    if first.shape[1] != second.shape[1]:
        problem = f"has {second.shape[1]} dimensions, the reference {first.shape[1]}"
        raise InvalidInput("recent", problem)
    distances = _distances(np.concatenate([first, second]))
    observed = np.zeros((1, len(distances)))
    observed[0, : len(first)] = 1.0
    energy, between = _energies(distances, observed)
    shuffled = _memberships(observed[0], permutations, np.random.default_rng(seed))
    by_chance, _ = _energies(distances, shuffled)
    as_far = int(np.sum(by_chance >= energy[0] - 1e-12))
    effect = float(energy[0] / (2 * between[0])) if between[0] > 0 else 0.0
    return Drift(effect, (1 + as_far) / (1 + permutations), len(first), len(second))


def _checked(field: str, value: ArrayLike) -> Array:
    vectors = np.asarray(value, dtype=np.float64)
    if vectors.ndim != 2 or not 2 <= len(vectors) <= MAX_VECTORS:
        problem = f"must be 2 to {MAX_VECTORS} vectors of one length, not {vectors.shape}"
        raise InvalidInput(field, problem)
    if not np.isfinite(vectors).all():
        raise InvalidInput(field, "holds NaN or infinity")
    return vectors


def _distances(vectors: Array) -> Array:
    """Return the Euclidean distances (n, n) between all vectors."""
    squares = np.einsum("ij,ij->i", vectors, vectors)
    gaps = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T
    np.fill_diagonal(gaps, 0.0)
    distances: Array = np.sqrt(np.maximum(gaps, 0.0))
    return distances


def _memberships(observed: Array, count: int, rng: np.random.Generator) -> Array:
    """Return (count, n) zeros and ones: each row the observed membership in another order."""
    return rng.permuted(np.tile(observed, (count, 1)), axis=1)


def _energies(distances: Array, members: Array) -> tuple[Array, Array]:
    """Return the energy distance, and the mean distance between both samples, of each row."""
    others = 1.0 - members
    to_members = members @ distances
    size, rest = members[0].sum(), others[0].sum()
    between = (to_members * others).sum(axis=1) / (size * rest)
    within = (to_members * members).sum(axis=1) / (size * (size - 1))
    within_rest = ((others @ distances) * others).sum(axis=1) / (rest * (rest - 1))
    return 2 * between - within - within_rest, between
