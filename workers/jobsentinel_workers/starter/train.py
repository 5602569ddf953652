"""Trains the starter weights from the open data, measures them, and writes their model cards.

    python -m jobsentinel_workers.starter.train --data DIR --out DIR [--only heads|reranker]

The same data, seed and thread count give the same weights. Heads take about ten minutes on two
cores, most of it embedding, which is kept in ``--cache``; the reranker takes about an hour on one
core: eight minutes for its adapter for queries, half an hour for the pairs, the rest to judge it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.starter.build_heads import TEST_SHARE
from jobsentinel_workers.starter.build_reranker import build_reranker
from jobsentinel_workers.starter.command_line import add_cache, heads_build, log, parser
from jobsentinel_workers.starter.embedding_memo import EmbeddingMemo
from jobsentinel_workers.starter.evaluate_ranking import QUERIES, evaluate, ranker_of
from jobsentinel_workers.starter.judged_part import part_metrics
from jobsentinel_workers.starter.model_cards import heads_card, reranker_card
from jobsentinel_workers.starter.query_training import QuerySettings
from jobsentinel_workers.starter.ranking_split import read_ranking_data
from jobsentinel_workers.starter.ranking_trials import TRIALS
from jobsentinel_workers.starter.reranker_training import RerankerSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the command line asks for; return the exit code."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    if options.only != "reranker":
        _train_heads(options)
    if options.only != "heads":
        _train_reranker(options)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser("Train the starter weights from open data.", threads=1)
    made.add_argument("--out", type=Path, default=Path(__file__).parent)
    made.add_argument("--only", choices=("heads", "reranker"))
    made.add_argument("--steps", type=int, default=RerankerSettings().steps)
    add_cache(made)
    return made.parse_args(arguments)


def _train_heads(options: argparse.Namespace) -> None:
    # Twice: once to learn what it achieves on rows set apart, and then from all rows.
    judged = heads_build(options, TEST_SHARE)
    judged.run()
    final = heads_build(options, 0.0)
    folder = final.run().save(options.out / "multi_task")
    metrics = judged.metrics | final.metrics | part_metrics(judged.parts)
    _write_card(folder, heads_card(metrics), metrics)


def _train_reranker(options: argparse.Namespace) -> None:
    settings = replace(RerankerSettings(), seed=options.seed, steps=options.steps)
    queries = replace(QuerySettings(), seed=options.seed)
    data = read_ranking_data(options.data, options.seed)
    memo = EmbeddingMemo(options.cache, TextEncoder.load(precision="fp32"))
    folder = options.out / "reranker"
    build_reranker(data, folder, queries, settings, runner=memo, log=log)
    memo.save()
    ranker = ranker_of(reranker=folder)
    found = {
        name: evaluate(read(options.data, QUERIES[name]), ranker) for name, read in TRIALS.items()
    }
    metrics = {name: evaluation.to_json() for name, evaluation in found.items()}
    _write_card(folder, reranker_card(found, queries, settings), metrics)


def _write_card(folder: Path, card: str, metrics: object) -> None:
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    text = json.dumps(metrics, indent=2, sort_keys=True)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
