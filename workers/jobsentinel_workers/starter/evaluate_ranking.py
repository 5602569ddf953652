"""Evaluates the starter models' rankings on open data, stage by stage.

    python -m jobsentinel_workers.starter.evaluate_ranking --data DIR --out DIR

Three trials: real vacancy titles against ESCO's occupations, titles of real postings against their
descriptions, and names and duties of occupations against O*NET's. Each prints its table; all
figures go to ``ranking-evaluation.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from jobsentinel_workers.encoders import TextEncoder, run_directly
from jobsentinel_workers.multi_task import scored_text
from jobsentinel_workers.reranking import CrossEncoderReranker, HybridRanker
from jobsentinel_workers.reranking.evaluation import RankingEvaluation, evaluate_rankings
from jobsentinel_workers.reranking.evaluation_table import to_table
from jobsentinel_workers.reranking.staged_rankings import Pool, StagedRanker, rank_by_stage
from jobsentinel_workers.starter.command_line import log, parser, today
from jobsentinel_workers.starter.ranking_trials import TRIALS, RankingTrial

EVALUATION_FILE = "ranking-evaluation.json"
QUERIES = {"vacancies": 1_000, "postings": 100, "occupations": 100}
READ = 30
"""Documents that the cross-encoder reads for each query: 100 would take a core an hour."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate, print the tables and write the figures; return the exit code."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    ranker = ranker_of(options.bi_encoder, options.reranker, options.read)
    found = {name: _try(name, ranker, options) for name in options.only or TRIALS}
    report = {"date": today(), "read": options.read, "trials": found}
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    (options.out / EVALUATION_FILE).write_text(f"{text}\n", encoding="utf-8")
    print(f"figures: {options.out / EVALUATION_FILE}")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser("Evaluate the starter models' rankings.", threads=1)
    made.add_argument("--out", type=Path, required=True, help="folder for the figures")
    made.add_argument("--only", choices=tuple(TRIALS), action="append", help="this trial alone")
    made.add_argument("--queries", type=int, help="of each trial, at most")
    made.add_argument("--read", type=int, default=READ, help="documents for the cross-encoder")
    made.add_argument("--bi-encoder", type=Path, help="folder; else the packaged one")
    made.add_argument("--reranker", type=Path, help="folder; else the starter one")
    return made.parse_args(arguments)


def ranker_of(
    bi_encoder: Path | None = None, reranker: Path | None = None, read: int = READ
) -> HybridRanker:
    """Return the ranker to judge; its cross-encoder reads ``read`` documents for each query."""
    return HybridRanker(
        TextEncoder.load(bi_encoder, "fp32"),
        CrossEncoderReranker.load(reranker, "fp32"),
        initial_top_k=read,
        final_top_k=read,
    )


def _try(name: str, ranker: HybridRanker, options: argparse.Namespace) -> dict[str, Any]:
    started = time.perf_counter()
    trial = TRIALS[name](options.data, options.queries or QUERIES[name])
    log(f"{name}: {len(trial.judgements.grades):,} queries, {len(trial.documents):,} documents")
    evaluation = evaluate(trial, ranker, options.seed)
    seconds = time.perf_counter() - started
    print(
        f"{name}: {len(trial.documents):,} documents, of which the cross-encoder reads "
        f"{options.read} a query; {seconds:.0f} s on {options.threads} thread(s)\n"
        f"{to_table(evaluation)}",
        flush=True,
    )
    documents = {"documents": len(trial.documents), "seconds": round(seconds, 1)}
    return documents | evaluation.to_json()


def evaluate(trial: RankingTrial, ranker: HybridRanker, seed: int = 0) -> RankingEvaluation:
    """Return what each stage achieves in ``trial``."""
    judgements = trial.judgements.by_length()
    queries = list(judgements.grades)
    documents = [scored_text(text) for text in trial.documents.values()]
    pool = Pool.of(trial.documents, run_directly(ranker.bi_encoder, documents))
    asked = run_directly(ranker.query_encoder, [scored_text(query) for query in queries])
    log(f"{trial.name}: encoded")
    staged = StagedRanker(pool, ranker)
    rankings = rank_by_stage(staged, zip(queries, asked, strict=True))
    return evaluate_rankings(judgements, rankings, relevant_from=trial.relevant_from, seed=seed)


if __name__ == "__main__":
    sys.exit(main())
