"""Diversity by k-means: candidates that stand for different regions of the pool.

The candidate nearest to each cluster's centre comes first, then each cluster's second nearest,
and so on, so that every candidate has its place. Clusters unlike what is covered already (labelled,
or picked by another part of a hybrid) lead; without anything covered, larger ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobsentinel_workers.active_learning.checks import Floats, Indices, Vectors

MAX_CLUSTERS: Final = 128
"""More would cost seconds and tell nothing; beyond it a cluster gives several picks."""
MAX_ITERATIONS: Final = 25


@dataclass(frozen=True, slots=True)
class Clustering:
    """k-means clusters in the order in which they are visited.

    Attributes:
        order: (n,) candidates in the order of picking.
        scores: (n,) 0 to 1: closeness to the own centre times novelty.
        cluster: (n,) each candidate's cluster, counted in visiting order from 0.
        rank: (n,) its place within the cluster, 0 for the nearest to the centre.
        sizes: (k,) candidates in each cluster.
        closest_covered: (n,) cosine with the nearest covered embedding; -1 where none is covered.
    """

    order: Indices
    scores: Floats
    cluster: Indices
    rank: Indices
    sizes: Indices
    closest_covered: Floats


def cluster_pool(unit: Vectors, count: int, covered: Vectors | None, seed: int) -> Clustering:
    """Cluster unit embeddings (n, d) into up to ``count`` clusters and order the candidates."""
    centres, labels = _k_means(unit, min(count, MAX_CLUSTERS), seed)
    distances = np.linalg.norm(unit - centres[labels], axis=1).astype(np.float64)
    closest_covered = closest_cosine(unit, covered)
    visits = _visiting_order(centres, labels, covered)
    place = np.empty_like(visits)
    place[visits] = np.arange(len(visits))
    cluster = place[labels]
    rank = _rank_within(cluster, distances)
    novelty = 1.0 - np.clip(closest_covered, 0.0, 1.0)
    return Clustering(
        order=np.lexsort((cluster, rank)),
        scores=novelty / (1.0 + distances),
        cluster=cluster,
        rank=rank,
        sizes=np.bincount(cluster, minlength=len(visits)),
        closest_covered=closest_covered,
    )


def closest_cosine(unit: Vectors, covered: Vectors | None) -> Floats:
    """Return each row's highest cosine with ``covered`` (m, d), or -1 where m is 0."""
    if covered is None or not len(covered):
        return np.full(len(unit), -1.0)
    closest: Floats = (unit @ covered.T).max(axis=1).astype(np.float64)
    return closest


def _k_means(unit: Vectors, count: int, seed: int) -> tuple[Vectors, Indices]:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # More threads than free cores make this five times slower, not faster.
    with threadpool_limits(1):
        centres = _spread_seeds(unit, count, np.random.default_rng(seed))
        model = KMeans(len(centres), init=centres, n_init=1, max_iter=MAX_ITERATIONS).fit(unit)
    labels, used = _drop_empty(model.labels_)
    return model.cluster_centers_[used].astype(np.float32), labels


def _spread_seeds(unit: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Draw starting centres by squared distance (k-means++, Arthur and Vassilvitskii 2007).

    scikit-learn's own version tries several draws for each centre, which takes most of its time.
    Ends early when only copies of the chosen rows are left.
    """
    chosen = [int(rng.integers(len(unit)))]
    norms = (unit * unit).sum(axis=1)
    left = _squared_distances(unit, norms, chosen[0])
    while len(chosen) < count and (total := float(left.sum())) > 0:
        target = rng.random() * total
        # Rounding may put the target past the last sum.
        drawn = min(int(np.searchsorted(np.cumsum(left), target, side="right")), len(unit) - 1)
        chosen.append(drawn)
        left = np.minimum(left, _squared_distances(unit, norms, drawn))
    return unit[chosen]


def _squared_distances(unit: Vectors, norms: NDArray[np.float32], point: int) -> Floats:
    gaps = norms + norms[point] - 2.0 * (unit @ unit[point])
    # Rounding leaves a copy of the point at about 1e-7 instead of 0.
    squared: Floats = np.where(gaps < 1e-6, 0.0, gaps).astype(np.float64)
    return squared


def _drop_empty(labels: NDArray[np.int32]) -> tuple[Indices, Indices]:
    used, dense = np.unique(labels, return_inverse=True)
    return dense.astype(np.intp), used.astype(np.intp)


def _visiting_order(centres: Vectors, labels: Indices, covered: Vectors | None) -> Indices:
    sizes = np.bincount(labels, minlength=len(centres))
    return np.lexsort((-sizes, closest_cosine(centres, covered)))


def _rank_within(cluster: Indices, distances: Floats) -> Indices:
    by_cluster = np.lexsort((distances, cluster))
    starts = np.searchsorted(cluster[by_cluster], cluster[by_cluster], side="left")
    rank = np.empty_like(by_cluster)
    rank[by_cluster] = np.arange(len(by_cluster)) - starts
    return rank
