"""Diversity by k-means: candidates that stand for different regions of the pool.

The candidate nearest to each cluster's centre comes first, then each cluster's second nearest,
and so on, so that every candidate has its place. Clusters unlike what is covered already (labelled,
or picked by another part of a hybrid) lead; without anything covered, larger ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.checks import Floats, Indices, Vectors
from jobsentinel_workers.active_learning.k_means import distances_to_own, k_means
from jobsentinel_workers.active_learning.vectors import closest_cosine

MAX_CLUSTERS: Final = 128
"""More would cost seconds and tell nothing; beyond it a cluster gives several picks."""


@dataclass(frozen=True, slots=True)
class Clustering:
    """k-means clusters in the order in which they are visited.

    Attributes:
        order: (n,) candidates in the order of picking.
        scores: (n,) 0 to 1: closeness to the own centre times the cluster's novelty.
        cluster: (n,) each candidate's cluster, counted in visiting order from 0.
        rank: (n,) its place within the cluster, 0 for the nearest to the centre.
        sizes: (k,) candidates in each cluster.
    """

    order: Indices
    scores: Floats
    cluster: Indices
    rank: Indices
    sizes: Indices


def cluster_pool(unit: Vectors, count: int, covered: Vectors, seed: int) -> Clustering:
    """Cluster unit embeddings (n, d) into up to ``count`` clusters and order the candidates.

    Novelty is 1 minus the cosine between a cluster's centre, as a unit vector, and the nearest of
    ``covered`` (m, d).
    """
    centres, labels = k_means(unit, min(count, MAX_CLUSTERS), seed)
    distances = distances_to_own(unit, centres, labels)
    closeness = closest_cosine(_unit(centres), covered)
    sizes = np.bincount(labels, minlength=len(centres))
    visits = np.lexsort((-sizes, closeness))
    place = np.empty_like(visits)
    place[visits] = np.arange(len(visits))
    cluster = place[labels]
    rank = _rank_within(cluster, distances)
    novelty = 1.0 - np.clip(closeness, 0.0, 1.0)
    return Clustering(
        order=np.lexsort((cluster, rank)),
        scores=novelty[labels] / (1.0 + distances),
        cluster=cluster,
        rank=rank,
        sizes=sizes[visits],
    )


def _unit(rows: Vectors) -> Vectors:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms == 0, 1, norms)).astype(np.float32)


def _rank_within(cluster: Indices, distances: Floats) -> Indices:
    by_cluster = np.lexsort((distances, cluster))
    starts = np.searchsorted(cluster[by_cluster], cluster[by_cluster], side="left")
    rank = np.empty_like(by_cluster)
    rank[by_cluster] = np.arange(len(by_cluster)) - starts
    return rank
