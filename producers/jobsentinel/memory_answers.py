"""What `jobsentinel.testing.MemoryProducer` answers unless it is told otherwise: made-up answers.

Equal texts get equal answers, whatever else is asked; nothing of it means anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from jobsentinel.contract import requests, results
from jobsentinel.contract.base import Message
from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.removals import RemovePostingsRequest, RemovePostingsResult

Answers = Mapping[str, Callable[[Any], Message]]

STAMP: Final = results.ModelStamp(name="memory", version=0, precision="fp32")
"""Names the model of made-up answers, so that nobody takes them for the real one's."""

ScorePosting = Callable[[Posting], results.PostingScore]


def made_up_score(posting: Posting) -> results.PostingScore:
    """Return a score by the hash of a posting's text; a title that says "scam" is one."""
    share = _share(posting.text())
    label = tuple(JOB_CATEGORIES)[int(share * len(JOB_CATEGORIES))]
    scam = 0.95 if "scam" in posting.title.casefold() else share / 10
    salary = 30_000 + 1_000 * int(share * 100)
    return results.PostingScore(
        posting_id=posting.id,
        category=results.CategoryPrediction(
            label=label, probability=0.9, probabilities={label: 0.9}
        ),
        salary_year_usd=results.SalaryPrediction(
            value=salary, low=0.8 * salary, high=1.25 * salary
        ),
        scam=results.ScamPrediction(probability=scam, is_scam=scam >= 0.5, threshold=0.5),
        model=STAMP,
    )


def made_up_answers(score: ScorePosting) -> dict[str, Callable[[Any], Message]]:
    """Return what answers each task of the inference pool, by its name."""

    def scores(request: requests.ScoreRequest) -> Message:
        matched = request.profile is not None
        found = [
            _matched(score(each), request) if matched else score(each) for each in request.postings
        ]
        copies = [
            results.PostingScore(posting_id=copy, duplicate_of=original)
            for copy, original in request.copies.items()
        ]
        return results.ScoreResult(scores=(*found, *copies))

    return {
        "score": scores,
        "index": _index,
        "rerank": _rerank,
        "select": _select,
        "add_labels": _add_labels,
        "remove": _remove,
    }


def _share(text: str) -> float:
    """Return a number from 0 to below 1 that depends on a text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / 2**32


def _matched(score: results.PostingScore, request: requests.ScoreRequest) -> results.PostingScore:
    if score.match_quality is not None:
        return score
    return score.model_copy(
        update={"match_quality": _share(f"{score.posting_id}{request.profile}")}
    )


def _index(request: requests.IndexRequest) -> Message:
    return results.IndexResult(indexed=len(request.postings), unchanged=0)


def _rerank(request: requests.RerankRequest) -> Message:
    """Order candidates by the words that they share with the query."""
    words = set(request.query.casefold().split())
    candidates = request.candidates or ()

    def likeness(text: str) -> float:
        return len(words & set(text.casefold().split())) / max(1, len(words))

    scored = sorted(((likeness(each.text), each.id) for each in candidates), key=lambda s: -s[0])
    ranked = tuple(
        results.RankedPosting(
            id=name,
            rank=rank,
            score=score,
            bi_encoder_score=score,
            bi_encoder_rank=rank,
            cross_encoder_score=score,
            cross_encoder_rank=rank,
            reason="words in common",
        )
        for rank, (score, name) in enumerate(scored[: request.final_top_k], start=1)
    )
    return results.RerankResult(
        ranked=ranked, candidates=len(candidates), timings_ms={}, models=(STAMP,)
    )


def _select(request: requests.SelectRequest) -> Message:
    scores = {sample.id: _share(sample.text) for sample in request.samples}
    best = sorted(scores, key=lambda name: -scores[name])[: request.num_samples]
    picks = tuple(results.Pick(id=name, score=scores[name], reason="made up") for name in best)
    return results.SelectResult(
        picks=picks, scores=scores, strategy=request.strategy, seed=request.seed, model=STAMP
    )


def _add_labels(request: requests.AddLabelsRequest) -> Message:
    return results.AddLabelsResult(stored=len(request.labels), unchanged=0)


def _remove(request: RemovePostingsRequest) -> Message:
    return RemovePostingsResult(removed=len(request.ids or ()))
