"""Finds the weights that join the cross-encoder's score to those of the first stage.

They come from queries held out of training: names and duties of O*NET's occupations, names of
ESCO's, and titles of real postings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel, run_directly
from jobsentinel_workers.reranking import Fusion, PairModel
from jobsentinel_workers.reranking.fusion import shares_of_best
from jobsentinel_workers.reranking.lexical import bm25
from jobsentinel_workers.reranking.lexical_segments import Part, build_segment
from jobsentinel_workers.reranking.rank_fusion import reciprocal_rank_fusion
from jobsentinel_workers.starter.open_data import Occupation, PostingRow
from jobsentinel_workers.starter.posting_groups import described
from jobsentinel_workers.starter.ranking_data import plain_document, sample_document, sample_query

TOP_K = 30
MAX_QUERIES = 100
QUERIES_AN_OCCUPATION = 2
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedLists:
    """Retrieval's best documents for each query, and what they are worth.

    Attributes:
        pairs: for each query, its (query, document) pairs in the order of retrieval.
        cosines: (queries, k) cosines of the bi-encoder.
        lexical: (queries, k) BM25 scores as shares of the best one's.
        grades: (queries, k) relevance in 0..1.
    """

    pairs: list[list[tuple[str, str]]]
    cosines: Array
    lexical: Array
    grades: Array


Grade = Callable[[int, int], float]
"""From positions of a query and of a document to relevance."""


@dataclass(frozen=True, slots=True)
class Encoders:
    """How documents are embedded, how queries, and by whom."""

    documents: SequenceModel
    queries: SequenceModel
    runner: Runner = run_directly

    def embed_documents(self, texts: Sequence[str]) -> FloatArray:
        """Return (n, d) embeddings."""
        return self.runner(self.documents, texts)

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """Return (n, d) embeddings, to be compared with those of documents."""
        return run_directly(self.queries, texts)


def retrieve(
    queries: Sequence[str],
    documents: Sequence[str],
    grade: Grade,
    encoders: Encoders,
    top_k: int = TOP_K,
) -> JudgedLists:
    """Return the ``top_k`` documents of retrieval for each query, with their grades."""
    similarity = encoders.embed_queries(queries) @ encoders.embed_documents(documents).T
    words = [Part.of(build_segment(documents))]
    lexical = np.stack([bm25(query, words)[0] for query in queries])
    order = np.array([_fused(*row, top_k) for row in zip(similarity, lexical, strict=True)])
    return JudgedLists(
        pairs=[[(q, documents[n]) for n in row] for q, row in zip(queries, order, strict=True)],
        cosines=np.take_along_axis(similarity, order, axis=1).astype(np.float64),
        lexical=shares_of_best(np.take_along_axis(lexical, order, axis=1)),
        grades=np.array([[grade(q, int(n)) for n in row] for q, row in enumerate(order)]),
    )


def _fused(cosines: Array, lexical: Array, top_k: int) -> list[int]:
    """Return the positions that dense and lexical retrieval together put first."""
    dense = np.argsort(-cosines, kind="stable")[:top_k].tolist()
    by_words = [n for n in np.argsort(-lexical, kind="stable")[:top_k].tolist() if lexical[n] > 0]
    return [position for position, _ in reciprocal_rank_fusion([dense, by_words])[:top_k]]


def held_out_occupation_lists(
    unseen: Sequence[Occupation],
    all_occupations: Sequence[Occupation],
    encoders: Encoders,
    seed: int,
) -> JudgedLists:
    """Return lists for queries of unseen occupations over documents of all of them."""
    rng = np.random.default_rng(seed)
    asked = [occupation for occupation in unseen for _ in range(QUERIES_AN_OCCUPATION)]
    queries = [sample_query(occupation, rng).text for occupation in asked]
    documents = [sample_document(occupation, rng) for occupation in all_occupations]

    def grade(query: int, document: int) -> float:
        mine, theirs = asked[query], all_occupations[document]
        return 1.0 if mine.code == theirs.code else mine.related.get(theirs.code, 0.0)

    return retrieve(queries, documents, grade, encoders)


def held_out_register_lists(
    unseen: Sequence[Occupation],
    all_occupations: Sequence[Occupation],
    encoders: Encoders,
    seed: int,
) -> JudgedLists:
    """Return lists for names of unseen occupations of a register over all of its entries."""
    rng = np.random.default_rng(seed)
    asked = [occupation for occupation in unseen for _ in range(QUERIES_AN_OCCUPATION)]
    queries = [sample_query(occupation, rng) for occupation in asked]
    names = [{name.lower() for name in occupation.names} for occupation in all_occupations]
    documents = [plain_document(o) for o in all_occupations]

    def grade(query: int, document: int) -> float:
        same = all_occupations[document].code == asked[query].code
        return float(same or queries[query].name.lower() in names[document])

    return retrieve([query.text for query in queries], documents, grade, encoders)


def posting_lists(rows: Sequence[PostingRow], encoders: Encoders) -> JudgedLists:
    """Return lists for the titles of unseen real postings over their descriptions."""
    told = described(rows)[:MAX_QUERIES]
    return retrieve(
        [row.title for row in told],
        [row.description for row in told],
        lambda q, d: float(told[q].title == told[d].title),
        encoders,
    )


def score_lists(lists: JudgedLists, model: PairModel) -> Array:
    """Return (queries, k) logits of the cross-encoder."""
    flat = [pair for pairs in lists.pairs for pair in pairs]
    return run_directly(model, flat)[:, 0].astype(np.float64).reshape(lists.cosines.shape)


def fit_fusion(lists: Sequence[JudgedLists], logits: Sequence[Array]) -> Fusion:
    """Return the weights with the lowest log loss over lists (listwise), as probabilities.

    The ratio of the weights is fitted on whole lists, for order is what counts, and each kind of
    lists counts alike; scale and bias then on single documents, so that a score reads as a
    probability.
    """
    kinds = [_informative(each, scores) for each, scores in zip(lists, logits, strict=True)]

    def listwise(weights: Array) -> float:
        losses = [
            -(grades / grades.sum(axis=1, keepdims=True) * _log_softmax(parts @ weights)).sum(1)
            for parts, grades in kinds
        ]
        return float(np.mean([loss.mean() for loss in losses]))

    bounds = [(0, 100), (0, 20), (0, 20)]
    ratio = minimize(listwise, np.array([10.0, 1.0, 1.0]), bounds=bounds).x

    def pointwise(line: Array) -> float:
        losses = []
        for parts, grades in kinds:
            z = line[0] * (parts @ ratio) + line[1]
            losses.append((np.logaddexp(0.0, z) - grades * z).mean())
        return float(np.mean(losses))

    scale, bias = minimize(pointwise, np.array([1.0, 0.0]), bounds=[(0.01, 10), (-50, 50)]).x
    cosine, cross, lexical = (float(scale * weight) for weight in ratio)
    return Fusion(cosine, cross, float(bias), lexical)


def _informative(lists: JudgedLists, logits: Array) -> tuple[Array, Array]:
    """Return (queries, k, 3) parts of the score and (queries, k) grades, where any is above 0."""
    told = lists.grades.sum(axis=1) > 0
    parts = np.stack([lists.cosines, logits, lists.lexical], axis=-1)
    return parts[told], lists.grades[told]


def _log_softmax(values: Array) -> Array:
    shifted = values - values.max(axis=1, keepdims=True)
    logs: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs
