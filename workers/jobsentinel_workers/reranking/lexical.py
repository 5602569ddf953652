"""Lexical search: BM25 over words, for queries from two words to a whole résumé.

S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. Each
term's idf is that among all documents that count, however many segments these are in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from jobsentinel_workers.reranking.lexical_segments import (
    Floats,
    Part,
    Segment,
    build_segment,
    idf,
)
from jobsentinel_workers.reranking.lexical_tokens import tokenise

MAX_QUERY_TERMS: Final = 32
"""Of a query so many terms count, those with the greatest weights; a résumé has ten times as many.
The rest adds noise: finding the beginning of a posting by its end, the mean reciprocal rank is 0.57
with 32 terms, 0.53 with 64 and 0.51 with all."""
QUERY_K3: Final = 8.0
"""How slowly the weight of a term saturates with its count in the query."""
SCORE_DECIMALS: Final = 4
"""Scores are rounded so: equal texts tie exactly, wherever they stand."""


def bm25(query: str, parts: Sequence[Part]) -> list[Floats]:
    """Return for each part the scores (size,) of its documents; 0 where no term is found.

    Documents that do not count are scored as well: leave them out by ``alive``.
    """
    weights = query_weights(query, parts)
    return [_scores(weights, part.segment) for part in parts]


def bm25_scores(query: str, texts: Sequence[str]) -> Floats:
    """Return the BM25 scores (n,) of ``texts``, each term's idf being that among them."""
    return bm25(query, [Part.of(build_segment(texts))])[0]


def query_weights(query: str, parts: Sequence[Part]) -> dict[str, float]:
    """Return the terms of ``query`` that count with their weights, greatest first, ties by term."""
    count = sum(part.count for part in parts)
    weights: dict[str, float] = {}
    for term, times in Counter(tokenise(query)).items():
        frequency = sum(part.frequency(term) for part in parts)
        if frequency:
            saturated = times * (QUERY_K3 + 1) / (times + QUERY_K3)
            weights[term] = float(idf(frequency, count)) * saturated
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return dict(best[:MAX_QUERY_TERMS])


def _scores(weights: dict[str, float], segment: Segment) -> Floats:
    scores = np.zeros(segment.size)
    for term, weight in weights.items():
        found = segment.found(term)
        scores[segment.rows[found]] += weight * segment.saturations[found]
    rounded: Floats = np.round(scores, SCORE_DECIMALS)
    return rounded
