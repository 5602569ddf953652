"""Judges the reranker, and finds the weights that join its score to the bi-encoder's.

The weights come from O*NET occupations held out of training. The vacancy titles with their ESCO
occupations only measure: nothing is fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from jobsentinel.contract.text import compose_posting_text, normalise
from jobsentinel_workers.encoders import SequenceModel, run_directly
from jobsentinel_workers.reranking import Fusion, PairModel
from jobsentinel_workers.reranking.fusion import shares_of_best
from jobsentinel_workers.reranking.lexical import bm25
from jobsentinel_workers.reranking.lexical_segments import Part, build_segment
from jobsentinel_workers.reranking.query_resampling import paired_p_values
from jobsentinel_workers.reranking.rank_fusion import reciprocal_rank_fusion
from jobsentinel_workers.reranking.ranking_measures import (
    RankedGrades,
    ndcg_at,
    reciprocal_rank_at,
)
from jobsentinel_workers.starter.open_data import Occupation, PostingRow, read_csv, read_esco
from jobsentinel_workers.starter.ranking_data import sample_document, sample_query

TOP_K = 30
MAX_QUERIES = 100
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedLists:
    """Retrieval's best documents for each query, and what they are worth.

    Attributes:
        pairs: for each query, its (query, document) pairs in the order of retrieval.
        cosines: (queries, k) cosines of the bi-encoder.
        lexical: (queries, k) BM25 scores as shares of the best one's.
        grades: (queries, k) relevance in 0..1.
        ideals: for each query all grades there are, also of documents that were not retrieved.
    """

    pairs: list[list[tuple[str, str]]]
    cosines: Array
    lexical: Array
    grades: Array
    ideals: list[list[float]]


Grade = Callable[[int, int], float]
"""From positions of a query and of a document to relevance."""


def retrieve(
    queries: Sequence[str],
    documents: Sequence[str],
    grade: Grade,
    encoder: SequenceModel,
    top_k: int = TOP_K,
) -> JudgedLists:
    """Return the ``top_k`` documents of retrieval for each query, with their grades."""
    similarity = run_directly(encoder, queries) @ run_directly(encoder, documents).T
    words = [Part.of(build_segment(documents))]
    lexical = np.stack([bm25(query, words)[0] for query in queries])
    order = np.array([_fused(*row, top_k) for row in zip(similarity, lexical, strict=True)])
    everything = range(len(documents))
    return JudgedLists(
        pairs=[[(q, documents[n]) for n in row] for q, row in zip(queries, order, strict=True)],
        cosines=np.take_along_axis(similarity, order, axis=1).astype(np.float64),
        lexical=shares_of_best(np.take_along_axis(lexical, order, axis=1)),
        grades=np.array([[grade(q, int(n)) for n in row] for q, row in enumerate(order)]),
        ideals=[
            sorted((grade(q, n) for n in everything), reverse=True)[:10]
            for q in range(len(queries))
        ],
    )


def _fused(cosines: Array, lexical: Array, top_k: int) -> list[int]:
    """Return the positions that dense and lexical retrieval together put first."""
    dense = np.argsort(-cosines, kind="stable")[:top_k].tolist()
    by_words = [n for n in np.argsort(-lexical, kind="stable")[:top_k].tolist() if lexical[n] > 0]
    return [position for position, _ in reciprocal_rank_fusion([dense, by_words])[:top_k]]


def held_out_occupation_lists(
    unseen: Sequence[Occupation],
    all_occupations: Sequence[Occupation],
    encoder: SequenceModel,
    seed: int,
) -> JudgedLists:
    """Return lists for queries of unseen occupations over documents of all of them."""
    rng = np.random.default_rng(seed)
    asked = [occupation for occupation in unseen for _ in range(2)]
    queries = [sample_query(occupation, rng) for occupation in asked]
    documents = [sample_document(occupation, rng) for occupation in all_occupations]

    def grade(query: int, document: int) -> float:
        mine, theirs = asked[query], all_occupations[document]
        return 1.0 if mine.code == theirs.code else mine.related.get(theirs.code, 0.0)

    return retrieve(queries, documents, grade, encoder)


def vacancy_lists(data: Path, encoder: SequenceModel, count: int, seed: int) -> JudgedLists:
    """Return lists for real vacancy titles over all ESCO occupations: measuring only."""
    occupations = [occupation for occupation, _ in read_esco(data)]
    rows = read_csv(data / "vacancy_titles_to_esco.csv.gz")
    picked = np.random.default_rng(seed).permutation(len(rows))[:count]
    queries = [normalise(rows[n]["vacancy_title"]) for n in picked]
    wanted = [rows[n]["esco_uri"] for n in picked]
    documents = [
        compose_posting_text(title=o.title, description=o.description) for o in occupations
    ]
    return retrieve(
        queries, documents, lambda q, d: float(occupations[d].code == wanted[q]), encoder
    )


def posting_lists(rows: Sequence[PostingRow], encoder: SequenceModel) -> JudgedLists:
    """Return lists for the titles of unseen real postings over their descriptions."""
    described = [row for row in rows if len(row.description) > 200][:MAX_QUERIES]
    return retrieve(
        [row.title for row in described],
        [row.description for row in described],
        lambda q, d: float(described[q].title == described[d].title),
        encoder,
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


def compare(lists: JudgedLists, logits: Array, fusion: Fusion) -> dict[str, float]:
    """Return nDCG@10 and MRR@10 of retrieval, of the cross-encoder alone, and of all together."""
    stages = {
        "bi_encoder": lists.cosines,
        "hybrid": -np.tile(np.arange(lists.cosines.shape[1], dtype=np.float64), (len(logits), 1)),
        "cross_encoder": logits,
        "all": fusion.score(lists.cosines, logits, lists.lexical),
    }
    metrics: dict[str, float] = {"queries": float(len(lists.pairs))}
    by_query: dict[str, Array] = {}
    for stage, scores in stages.items():
        ranked = np.take_along_axis(
            lists.grades, np.argsort(-scores, axis=1, kind="stable"), axis=1
        ).tolist()
        found = [
            RankedGrades(grades, ideal, relevant_from=1.0)
            for grades, ideal in zip(ranked, lists.ideals, strict=True)
        ]
        by_query[stage] = np.array([ndcg_at(each) for each in found])
        metrics[f"ndcg_at_10_{stage}"] = float(by_query[stage].mean())
        metrics[f"mrr_at_10_{stage}"] = float(np.mean([reciprocal_rank_at(e) for e in found]))
    difference = by_query["all"] - by_query["hybrid"]
    metrics["p_value_all_against_hybrid"] = float(paired_p_values(difference[:, None])[0])
    return metrics
