"""Strategies over k-means clusters: diversity, the hybrid, and typical candidates first."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.by_probability import choose_uncertain
from jobsentinel_workers.active_learning.checks import Floats, Indices
from jobsentinel_workers.active_learning.clusters import cluster_pool
from jobsentinel_workers.active_learning.k_means import k_means
from jobsentinel_workers.active_learning.one_by_one import Open, pick_one_by_one
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.reasons import explain_cluster, explain_typical
from jobsentinel_workers.active_learning.typicality import typicality
from jobsentinel_workers.active_learning.vectors import closest_cosine

HYBRID_UNCERTAIN_SHARE: Final = 0.7
MAX_TYPICAL_CLUSTERS: Final = 500
"""As in the paper: more are no clusters any more."""


def choose_diverse(pool: CheckedPool, count: int | None = None) -> Choice:
    """Pick what is nearest to the centres of k-means clusters, those of new kinds first.

    The use of k-means: Kang, Ryu and Kwon, Using cluster-based sampling to select initial
    training set for active learning in text classification, 2004.
    """
    count = pool.count if count is None else count
    covered, words = pool.covered(), pool.covered_words()
    clusters = cluster_pool(pool.unit, count, covered, pool.seed)
    placed = pool.take(clusters.order, count)
    rows = [each.index for each in placed]
    cosines = dict(zip(rows, closest_cosine(pool.unit[rows], covered), strict=True))

    def explain(row: int) -> str:
        rank, cluster = int(clusters.rank[row]), int(clusters.cluster[row])
        return explain_cluster(rank, cluster, len(clusters.sizes), words, cosines[row])

    return clusters.scores, pool.with_reasons(placed, explain, QueryStrategy.DIVERSITY.value)


def choose_hybrid(pool: CheckedPool) -> Choice:
    """Pick 70 % by least confidence, then 30 % by diversity away from these."""
    uncertain_count = min(pool.count, max(1, round(HYBRID_UNCERTAIN_SHARE * pool.count)))
    diverse_count = pool.count - uncertain_count
    confidence, uncertain = choose_uncertain(pool, QueryStrategy.UNCERTAINTY, uncertain_count)
    named = [(each, why, QueryStrategy.UNCERTAINTY.value) for each, why, _ in uncertain]
    beside = replace(pool, placed=(*pool.placed, *(each for each, _, _ in uncertain)))
    spread, diverse = choose_diverse(beside, max(1, diverse_count))
    scores = HYBRID_UNCERTAIN_SHARE * confidence + (1 - HYBRID_UNCERTAIN_SHARE) * spread
    return scores, named + diverse[:diverse_count]


def choose_typical(pool: CheckedPool) -> Choice:
    """Pick the most typical of the largest clusters in which least is labelled.

    Source: Hacohen, Dekel and Weinshall, Active learning on a budget (TypiClust), 2022. Candidates
    and what is labelled are clustered together, into as many clusters as there are labels with
    this batch, at most 500.
    """
    everything = np.concatenate((pool.unit, pool.labelled.unit))
    known = len(pool.labelled.unit) + len(pool.placed)
    _, clusters = k_means(everything, min(known + pool.count, MAX_TYPICAL_CLUSTERS), pool.seed)
    return typical_first(pool, typicality(everything, clusters)[: pool.size], clusters)


def typical_first(pool: CheckedPool, scores: Floats, clusters: Indices) -> Choice:
    """Pick by (n,) typicality, given the cluster (n + m,) of candidates and labelled."""
    count = int(clusters.max()) + 1
    own, sizes = clusters[: pool.size], np.bincount(clusters, minlength=count)
    covered = np.bincount(clusters[pool.size :], minlength=count)
    covered += np.bincount(own[[each.index for each in pool.placed]], minlength=count)
    walk = _ClusterWalk(own, scores, sizes, covered)
    before = covered.copy()
    order = pick_one_by_one(pool, walk.next_best, walk.cover)

    def explain(row: int) -> str:
        return explain_typical(int(sizes[own[row]]), int(before[own[row]]))

    return scores, pool.with_reasons(pool.take(order), explain)


class _ClusterWalk:
    """Visits clusters from the one with least labelled, larger ones first among equals."""

    def __init__(self, own: Indices, scores: Floats, sizes: Indices, covered: Indices) -> None:
        self._own, self._scores = own, scores
        self._sizes, self._covered = sizes, covered

    def next_best(self, open_: Open) -> int:
        """Return the most typical open candidate of the cluster whose turn it is."""
        left = np.bincount(self._own[open_], minlength=len(self._sizes)) > 0
        turns = np.flatnonzero(left)
        order = np.lexsort((-self._sizes[turns], self._covered[turns]))
        members = np.flatnonzero(open_ & (self._own == turns[order[0]]))
        return int(members[self._scores[members].argmax()])

    def cover(self, row: int) -> None:
        """Count ``row`` as labelled in its cluster."""
        self._covered[self._own[row]] += 1
