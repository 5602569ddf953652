"""What each stage of ranking would answer by itself, over a pool held in memory.

A served ranking tells of each posting in it how the stages placed it, but not what a stage alone
would have found. Here every stage's own ranking comes out, by the same parts that serve: BM25,
cosines of the bi-encoder, both joined by reciprocal rank fusion, and the ranker over what that
finds. Ties go by id, as when serving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.reranking.cosines import unit_rows
from jobsentinel_workers.reranking.fusion import SCORE_DECIMALS
from jobsentinel_workers.reranking.hybrid import HybridRanker
from jobsentinel_workers.reranking.lexical import bm25
from jobsentinel_workers.reranking.lexical_segments import Part, build_segment
from jobsentinel_workers.reranking.ordering import best_first
from jobsentinel_workers.reranking.rank_fusion import reciprocal_rank_fusion
from jobsentinel_workers.reranking.rankings import Candidate

LEXICAL, DENSE, HYBRID, FINAL = STAGES = ("lexical", "dense", "hybrid", "final")
DEPTH: Final = 100
"""So many places of each stage are kept: those that Recall@100 asks for."""

Ranking = list[str]
StagedRankings = dict[str, dict[str, Ranking]]
"""By stage, and then by query."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The documents that are ranked.

    Attributes:
        ids: ascending.
        texts: by id.
        embeddings: (n, d), of length 1, in the order of ``ids``.
        words: what lexical search knows of them, in the same order.
        positions: of each id in that order.
    """

    ids: Sequence[str]
    texts: Mapping[str, str]
    embeddings: FloatArray
    words: Part
    positions: Mapping[str, int]

    @classmethod
    def of(cls, documents: Mapping[str, str], embeddings: FloatArray) -> Pool:
        """Return the pool of texts by id, with their (n, d) embeddings in the same order."""
        ids = sorted(documents)
        given = {name: n for n, name in enumerate(documents)}
        unit = unit_rows(embeddings)[[given[name] for name in ids]]
        words = Part.of(build_segment([documents[name] for name in ids]))
        return cls(ids, documents, unit, words, {name: n for n, name in enumerate(ids)})

    def candidate(self, name: str) -> Candidate:
        """Return the document of an id, ready for the last stage."""
        return Candidate(name, self.texts[name], self.embeddings[self.positions[name]])


@dataclass(frozen=True, slots=True)
class StagedRanker:
    """Ranks a pool by each stage.

    Attributes:
        pool: the documents.
        ranker: joins the best ``initial_top_k`` of both retrievals and reads as many. What it does
            not read, or does not return, keeps its place behind.
        depth: how many places of each ranking are kept.
    """

    pool: Pool
    ranker: HybridRanker
    depth: int = DEPTH

    def rank(self, query: str, embedding: FloatArray) -> dict[str, Ranking]:
        """Return the rankings of all stages for ``query`` with its (d,) embedding."""
        lexical = self._lexical(query)
        dense = self._dense(embedding)
        hybrid = self._hybrid(list(lexical), dense)
        final = self._final(query, embedding, lexical, dense)
        rankings = (list(lexical), dense, hybrid, _then(final, hybrid))
        return {stage: found[: self.depth] for stage, found in zip(STAGES, rankings, strict=True)}

    @property
    def _reach(self) -> int:
        return max(self.depth, self.ranker.initial_top_k)

    def _lexical(self, query: str) -> dict[str, float]:
        """Return BM25 scores by id, best first; what shares no word with the query is not found."""
        scores = bm25(query, [self.pool.words])[0]
        found = [n for n in best_first(scores, self.pool.ids, self._reach) if scores[n] > 0]
        return {self.pool.ids[n]: float(scores[n]) for n in found}

    def _dense(self, embedding: FloatArray) -> Ranking:
        cosines = np.round(self.pool.embeddings @ unit_rows(embedding[None])[0], SCORE_DECIMALS)
        return [self.pool.ids[n] for n in best_first(cosines, self.pool.ids, self._reach)]

    def _hybrid(self, lexical: Ranking, dense: Ranking) -> Ranking:
        read = self.ranker.initial_top_k
        return _then(_joined(dense[:read], lexical[:read])[:read], _joined(dense, lexical))

    def _final(
        self, query: str, embedding: FloatArray, lexical: Mapping[str, float], dense: Ranking
    ) -> Ranking:
        read = self.ranker.initial_top_k
        by_words = dict(islice(lexical.items(), read))
        candidates = map(self.pool.candidate, _then(dense[:read], list(by_words)))
        result = self.ranker.rank(
            query, list(candidates), query_embedding=embedding, lexical_scores=by_words
        )
        return [candidate.id for candidate in result.reranked_candidates]


def rank_by_stage(
    ranker: StagedRanker,
    queries: Iterable[tuple[str, FloatArray]],
    done: Callable[[], object] = lambda: None,
) -> StagedRankings:
    """Return the rankings of all stages for queries with their (d,) embeddings.

    ``done`` is called after each query.
    """
    rankings: StagedRankings = {stage: {} for stage in STAGES}
    for query, embedding in queries:
        for stage, found in ranker.rank(query, embedding).items():
            rankings[stage][query] = found
        done()
    return rankings


def _joined(dense: Ranking, lexical: Ranking) -> Ranking:
    return [name for name, _ in reciprocal_rank_fusion([dense, lexical])]


def _then(first: Ranking, rest: Ranking) -> Ranking:
    """Return ``first`` and behind it what of ``rest`` is not in it."""
    return list(dict.fromkeys([*first, *rest]))
