"""Trains the starter weights from the open data, measures them, and writes their model cards.

    python -m jobsentinel_workers.starter.train --data DIR --out DIR [--only heads|reranker]

The same data, seed and thread count give the same weights. Heads take about ten minutes on two
cores, most of it embedding, which is kept in ``--cache``; the reranker takes about fifteen.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from jobsentinel_workers.starter.build_heads import TEST_SHARE, HeadsBuild, starter_encoder
from jobsentinel_workers.starter.build_reranker import build_reranker
from jobsentinel_workers.starter.embedding_memo import DEFAULT_CACHE, EmbeddingMemo
from jobsentinel_workers.starter.judged_part import part_metrics
from jobsentinel_workers.starter.model_cards import heads_card, reranker_card
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
    parser = argparse.ArgumentParser(description="Train the starter weights from open data.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the open data")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="for embeddings")
    parser.add_argument("--only", choices=("heads", "reranker"))
    parser.add_argument("--steps", type=int, default=RerankerSettings().steps)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


def _train_heads(options: argparse.Namespace) -> None:
    encoder = starter_encoder()
    memo = EmbeddingMemo(options.cache, encoder)
    # Twice: once to learn what it achieves on rows set apart, and then from all rows.
    judged = HeadsBuild(options.data, encoder, memo, options.seed, _log, TEST_SHARE)
    judged.run()
    final = HeadsBuild(options.data, encoder, memo, options.seed, _log, 0.0)
    folder = final.run().save(options.out / "multi_task")
    metrics = judged.metrics | final.metrics | part_metrics(judged.parts)
    _write_card(folder, heads_card(metrics), metrics)


def _train_reranker(options: argparse.Namespace) -> None:
    settings = replace(RerankerSettings(), seed=options.seed, steps=options.steps)
    build = build_reranker(options.data, options.out / "reranker", settings, _log)
    _write_card(build.folder, reranker_card(build.metrics, settings), build.metrics)


def _write_card(folder: Path, card: str, metrics: object) -> None:
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    text = json.dumps(metrics, indent=2, sort_keys=True)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
