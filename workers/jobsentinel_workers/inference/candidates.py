"""What a ranking request lets the ranker choose from: postings that came along, or the indexes.

Either way each candidate gets its embedding, from the store where it is known, so that whatever
found it, words or vectors, its cosine counts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from jobsentinel.contract.filter_tree import Filter
from jobsentinel.contract.filters import parse_filter
from jobsentinel.contract.requests import RerankRequest
from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel
from jobsentinel_workers.inference.embeddings import embed
from jobsentinel_workers.inference.search_indexes import indexes_of
from jobsentinel_workers.multi_task import scored_text
from jobsentinel_workers.reranking import Candidate
from jobsentinel_workers.reranking.clock import Clock
from jobsentinel_workers.reranking.lexical import bm25_scores
from jobsentinel_workers.store import Database, postings
from jobsentinel_workers.store.postings import StoredPosting


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates with their embeddings, and what is known about them.

    Attributes:
        candidates: what the ranker ranks.
        total: how many postings these were taken from.
        lexical_scores: BM25 by id, if words were searched already.
        stored: the stored postings by id; of candidates in the request there are none.
    """

    candidates: list[Candidate]
    total: int
    lexical_scores: dict[str, float] | None = None
    stored: dict[str, StoredPosting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Gathers the candidates of one request."""

    database: Database
    encoder: SequenceModel
    runner: Runner
    clock: Clock

    def sent(self, request: RerankRequest) -> Pool:
        """Return the candidates of the request; of a lexical first stage only what it finds."""
        sent, scores = list(request.candidates or ()), None
        if request.first_stage == "lexical":
            found = bm25_scores(request.query, [candidate.text for candidate in sent]).tolist()
            best = sorted(zip(sent, found, strict=True), key=lambda pair: (-pair[1], pair[0].id))
            sent = [candidate for candidate, score in best if score > 0][: request.initial_top_k]
            scores = {candidate.id: score for candidate, score in best}
            self.clock.lap("lexical")
        embeddings = self._embeddings([scored_text(candidate.text) for candidate in sent])
        candidates = [
            Candidate(candidate.id, candidate.text, embedding)
            for candidate, embedding in zip(sent, embeddings, strict=True)
        ]
        self.clock.lap("dense")
        return Pool(candidates, len(request.candidates or ()), scores)

    def indexed(self, request: RerankRequest, query: FloatArray) -> Pool:
        """Return the best of the stored postings by each index that the first stage asks."""
        where = None if request.where is None else parse_filter(request.where)
        indexes, top_k = indexes_of(self.database), request.initial_top_k
        vectors = indexes.vectors(self.encoder.model_id)
        among = None
        if where is not None and not (request.first_stage == "dense" and vectors.uses_pgvector):
            among = self._among(where)
        totals, ids, scores = [], list[str](), dict[str, float]()
        if request.first_stage != "lexical":
            vectors.refresh()
            ids, _ = vectors.search(query, top_k, where=where)
            totals.append(len(vectors) if where is None else vectors.count(where))
            self.clock.lap("dense")
        if request.first_stage != "dense":
            indexes.lexical.refresh()
            by_words, bm25 = indexes.lexical.search(request.query, top_k, among)
            scores = dict(zip(by_words, bm25.tolist(), strict=True))
            totals.append(len(indexes.lexical))
            self.clock.lap("lexical")
        total = max(totals) if among is None else len(among)
        stored = self._stored(dict.fromkeys([*ids, *scores]))
        texts = [posting.text for posting in stored.values()]
        candidates = [
            Candidate(posting.id, posting.text, embedding)
            for posting, embedding in zip(stored.values(), self._embeddings(texts), strict=True)
        ]
        self.clock.lap("fetch")
        return Pool(candidates, total, scores, stored)

    def _among(self, where: Filter) -> Collection[str]:
        with self.database.connect() as connection:
            matching = indexes_of(self.database).filters.matching_ids(connection, where)
        self.clock.lap("filter")
        return matching

    def _stored(self, ids: Collection[str]) -> dict[str, StoredPosting]:
        with self.database.connect() as connection:
            return postings.get(connection, ids)

    def _embeddings(self, texts: list[str]) -> FloatArray:
        return embed(self.database, self.encoder, texts, self.runner).vectors
