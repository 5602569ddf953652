"""What shortening and precision change in the answers of the starter cross-encoder.

Speed comes from reading less of a posting and from bf16. Each is measured by itself against the
same network in fp32: precision by the rank correlation of scores at the same limits, shortening by
nDCG@10 beside the first 512 tokens, as the library reads them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

from benchmarks.measure import Row
from benchmarks.options import Options
from jobsentinel import Posting
from jobsentinel.contract.text import normalise
from jobsentinel_workers.encoders import (
    FloatArray,
    TextEncoder,
    TextInput,
    choose_precision,
    run_directly,
)
from jobsentinel_workers.multi_task import scored_text
from jobsentinel_workers.reranking import CrossEncoderReranker, HybridRanker
from jobsentinel_workers.reranking.cross_encoder import CONFIG_FILE
from jobsentinel_workers.reranking.evaluation import Part, evaluate_rankings
from jobsentinel_workers.reranking.judgements import Judgements
from jobsentinel_workers.reranking.staged_rankings import FINAL, Pool, StagedRanker, rank_by_stage
from jobsentinel_workers.starter import starter_path
from jobsentinel_workers.starter.ranking_trials import postings as kept_apart

WHOLE_TOKENS = 512
WHOLE = {"max_tokens": WHOLE_TOKENS, "max_query_tokens": WHOLE_TOKENS // 2}
WHOLE_CHARS = 2_600
"""More than 512 tokens of nearly all postings, and less than what is read whole beside a title."""
CORRELATED_QUERIES, CORRELATED_TEXTS = 20, 50
READ = 20
SEED = 0
MEASURE = "nDCG@10"
APART = "titles kept apart"
"""Of postings from which the starter reranker learnt nothing."""


def correlation(options: Options) -> Iterator[Row]:
    """Yield how well orders agree with those of fp32, at the same limits and at 512 tokens."""
    queries = options.size(CORRELATED_QUERIES, 2)
    pairs = _pairs(options.postings, queries, options.size(CORRELATED_TEXTS, 5))
    exact = _scores(CrossEncoderReranker.load(precision="fp32"), pairs, queries)
    reduced = _scores(CrossEncoderReranker.load(precision="bf16"), pairs, queries)
    yield from _agreement("bf16 with fp32", reduced, exact, ">= 0.99")
    served = reduced if choose_precision() == "bf16" else exact
    heads: list[TextInput] = [(query, _head(text)) for query, text in pairs]
    whole = _scores(_whole_reranker(), heads, queries)
    yield from _agreement(f"as served with fp32 at {WHOLE_TOKENS} tokens", served, whole)


def _pairs(postings: Sequence[Posting], queries: int, texts: int) -> list[tuple[str, str]]:
    """Return titles, each with the texts that retrieval by embeddings finds for it."""
    encoder = TextEncoder.load()
    embedded = run_directly(encoder, [scored_text(posting.text()) for posting in postings])
    asked = [posting.title for posting in _drawn(postings, queries)]
    cosines = run_directly(encoder, asked) @ embedded.T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :texts]
    return [
        (query, postings[place].text())
        for query, places in zip(asked, nearest.tolist(), strict=True)
        for place in places
    ]


def _drawn(postings: Sequence[Posting], count: int) -> list[Posting]:
    order = np.random.default_rng(SEED).permutation(len(postings))
    return [postings[place] for place in order[:count]]


def _scores(reranker: CrossEncoderReranker, pairs: Sequence[TextInput], queries: int) -> FloatArray:
    """Return (queries, texts) logits."""
    return run_directly(reranker.model, pairs).reshape(queries, -1)


def _agreement(what: str, found: FloatArray, exact: FloatArray, goal: str = "") -> Iterator[Row]:
    note = f"mean of {len(exact)} queries with {exact.shape[1]} texts each"
    rho = [float(spearmanr(*rows).statistic) for rows in zip(found, exact, strict=True)]
    tau = [float(kendalltau(*rows).statistic) for rows in zip(found, exact, strict=True)]
    yield Row(f"scores, {what}, Spearman", float(np.mean(rho)), "", goal, note)
    yield Row(f"scores, {what}, Spearman, worst query", min(rho), "")
    yield Row(f"scores, {what}, Kendall", float(np.mean(tau)), "")


def _head(text: str) -> str:
    """Return the beginning, out of which no passages are chosen: the tokenizer cuts the rest."""
    return text[:WHOLE_CHARS]


def _whole_reranker() -> CrossEncoderReranker:
    """Return the starter reranker in fp32, reading 512 tokens of each pair."""
    with TemporaryDirectory() as folder:
        copied = Path(shutil.copytree(starter_path("reranker"), Path(folder) / "whole"))
        config: dict[str, Any] = json.loads((copied / CONFIG_FILE).read_text("utf-8"))
        config["limits"] |= WHOLE
        (copied / CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")
        return CrossEncoderReranker.load(copied, precision="fp32")


def shortening(options: Options) -> Iterator[Row]:
    """Yield nDCG@10 of titles over the descriptions of all postings, at 512 tokens and at ours."""
    documents = {posting.id: posting.description for posting in options.postings}
    judgements = _judgements(options, options.size(options.queries, 3))
    ours = CrossEncoderReranker.load(precision="fp32")
    short = f"{ours.model.limits.max_tokens} tokens"
    whole = f"{WHOLE_TOKENS} tokens"
    encoder = TextEncoder.load(precision="fp32")
    pool = Pool.of(documents, run_directly(encoder, [*map(scored_text, documents.values())]))
    asked = dict(
        zip(judgements.grades, run_directly(encoder, list(judgements.grades)), strict=True)
    )
    heads = replace(pool, texts={name: _head(text) for name, text in documents.items()})
    rankings = {}
    for name, (reranker, read) in {whole: (_whole_reranker(), heads), short: (ours, pool)}.items():
        ranker = HybridRanker(encoder, reranker, initial_top_k=READ, final_top_k=READ)
        rankings[name] = rank_by_stage(StagedRanker(read, ranker), asked.items())[FINAL]
    found = evaluate_rankings(judgements, rankings)
    for name, part in {"titles": found.overall, **found.segments}.items():
        yield from _loss(name, part, short, whole)


def _judgements(options: Options, count: int) -> Judgements:
    """Return titles of postings; right is every description of a posting with that title."""
    of_title: dict[str, dict[str, float]] = {}
    for posting in options.postings:
        of_title.setdefault(normalise(posting.title), {})[posting.id] = 1.0
    asked = dict.fromkeys(normalise(each.title) for each in _drawn(options.postings, count))
    apart = kept_apart(options.data, len(options.postings)).judgements.grades
    return Judgements(
        {title: of_title[title] for title in asked},
        {title: APART for title in asked if title in apart},
    )


def _loss(name: str, part: Part, short: str, whole: str) -> Iterator[Row]:
    if not part.measures:
        return  # one query alone has none
    note = f"{part.queries} queries, of which the cross-encoder reads {READ} postings each"
    for tokens in (whole, short):
        value = part.measures[tokens][MEASURE].value
        yield Row(f"{MEASURE}, {name}, {tokens}", value, "", note=note)
    change = part.gains[whole][MEASURE]
    yield Row(f"{MEASURE}, {name}, {short} less {whole}", change.interval.value, "")
    yield Row(f"{MEASURE}, {name}, the same, 95 % from", change.interval.low, "")
    yield Row(f"{MEASURE}, {name}, the same, 95 % to", change.interval.high, "")
