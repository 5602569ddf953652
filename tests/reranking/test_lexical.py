"""BM25 over words: the formula, the words, and segments that score like one collection."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsentinel_workers.reranking.lexical import MAX_QUERY_TERMS, bm25, bm25_scores, query_weights
from jobsentinel_workers.reranking.lexical_segments import (
    K1,
    TYPICAL_WORDS,
    B,
    Part,
    build_segment,
    merge,
)
from jobsentinel_workers.reranking.lexical_tokens import tokenise

TEXTS = [
    "night nurse nurse",
    "c++ developer",
    "nurse and c++ and python",
    "",
    "***",
    "baker " * 900,
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C++, C# and F#; C++17!", ["c++", "c#", "and", "f#", "c++", "17"]),
        ("ASP.NET, .NET/Node.js", ["asp.net", ".net", "node.js"]),
        ("Sales nurses, duties, business, campus", ["sale", "nurse", "duty", "business", "campus"]),
        ("Straße ΑΘΗΝΑ café", ["strasse", "αθηνα", "café"]),
        ("the end.Next sentence", ["the", "end", "next", "sentence"]),
        ("--- !?", []),
        ("", []),
    ],
)
def test_words_are_folded_and_names_of_techniques_stay_whole(text: str, words: list[str]) -> None:
    assert tokenise(text) == words


def test_scores_follow_the_formula() -> None:
    query = "nurse c++"
    documents = [tokenise(text) for text in TEXTS]

    expected = []
    for words in documents:
        norm = K1 * (1 - B + B * len(words) / TYPICAL_WORDS)
        score = 0.0
        for term in tokenise(query):
            held = sum(term in other for other in documents)
            idf = math.log(1 + (len(documents) - held + 0.5) / (held + 0.5))
            times = Counter(words)[term]
            score += idf * times / (times + norm)
        expected.append(score)

    assert bm25_scores(query, TEXTS).tolist() == pytest.approx(expected, abs=1e-4)


def test_no_texts_and_texts_without_words_have_no_scores() -> None:
    assert bm25_scores("nurse", []).tolist() == []
    assert bm25_scores("nurse", ["", "***"]).tolist() == [0.0, 0.0]
    assert bm25_scores("***", ["nurse"]).tolist() == [0.0]


texts = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8).map(" ".join), max_size=12)


@given(texts=texts, seed=st.integers(0, 1000))
def test_segments_score_like_one_collection_however_it_is_cut_and_merged(
    texts: list[str], seed: int
) -> None:
    # Given a collection cut in three, some of whose documents are masked out
    chance = random.Random(seed)
    cuts = sorted(chance.choices(range(len(texts) + 1), k=2))
    pieces = [texts[: cuts[0]], texts[cuts[0] : cuts[1]], texts[cuts[1] :]]
    masks = [np.array([chance.random() < 0.7 for _ in piece], dtype=bool) for piece in pieces]
    parts = [Part.of(build_segment(piece), mask) for piece, mask in zip(pieces, masks, strict=True)]
    left = [
        text
        for piece, mask in zip(pieces, masks, strict=True)
        for text, alive in zip(piece, mask, strict=True)
        if alive
    ]

    # When it is searched in parts, and merged
    apart = bm25("a b c", parts)
    merged = merge(parts)

    # Then what is left has the scores that it has by itself
    expected = bm25_scores("a b c", left).tolist()
    assert [s for scores, mask in zip(apart, masks, strict=True) for s in scores[mask]] == expected
    assert bm25("a b c", [Part.of(merged)])[0].tolist() == expected
    assert merged.size == len(left)


def test_of_a_long_query_the_most_telling_terms_count() -> None:
    rare = [f"rare{n}" for n in range(MAX_QUERY_TERMS)]
    parts = [Part.of(build_segment([*rare, "common", "common"]))]

    weights = query_weights(" ".join([*rare, "common", "unknown"]), parts)

    assert weights.keys() == set(rare)


def test_a_term_that_the_query_repeats_counts_more_but_not_without_end() -> None:
    parts = [Part.of(build_segment(["a", "b"]))]

    once, often = (query_weights(query, parts)["a"] for query in ("a", "a " * 50_000))

    assert once < often < 9 * once
