"""Replays labelling on the open data: what each strategy saves, and the reports.

    python -m jobsentinel_workers.replay.evaluate --data DIR --out DIR

Categories and frauds, 20 seeds, all strategies for classes: some 25 minutes on a core. Stopped,
it goes on where it was. Each set has a folder below ``--out`` with report.html, plots and figures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.replay.circle import CLASS_STRATEGIES, Curve
from jobsentinel_workers.replay.corpus import Corpus
from jobsentinel_workers.replay.labelled_texts import LabelledTexts
from jobsentinel_workers.replay.open_labels import OPEN_LABELS
from jobsentinel_workers.replay.replaying import SEEDS, Plan, Replay, replay
from jobsentinel_workers.replay.report import write_report
from jobsentinel_workers.replay.table import to_table
from jobsentinel_workers.starter.build_heads import starter_encoder
from jobsentinel_workers.starter.command_line import add_cache, log, parser
from jobsentinel_workers.starter.embedding_memo import EmbeddingMemo


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay, print the tables and write the reports; return the exit code."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    encoder = TextEncoder.load(options.encoder, "fp32") if options.encoder else starter_encoder()
    memo = EmbeddingMemo(options.cache, encoder)
    for name in options.only or OPEN_LABELS:
        found = _replay(name, options, encoder, memo)
        print(to_table(found), flush=True)
        print(f"report: {write_report(found, options.out / name)}\n", flush=True)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser("Replay labelling on the open data.", threads=1)
    made.add_argument("--out", type=Path, required=True, help="folder for the reports")
    made.add_argument("--only", choices=tuple(OPEN_LABELS), action="append", help="this set alone")
    made.add_argument("--seeds", type=int, default=SEEDS, help="repetitions of each strategy")
    made.add_argument("--jobs", type=int, default=1, help="processes side by side")
    made.add_argument("--strategies", help="names with commas between; all for classes by default")
    made.add_argument("--encoder", type=Path, help="folder; else the starter model's")
    add_cache(made)
    return made.parse_args(arguments)


def _replay(
    name: str, options: argparse.Namespace, encoder: TextEncoder, memo: EmbeddingMemo
) -> Replay:
    given = OPEN_LABELS[name]
    labelled = LabelledTexts.of(given.read(options.data))
    embeddings = memo(encoder, list(labelled.texts))
    memo.save()
    log(f"{name}: {len(labelled.texts):,} texts encoded")
    model = f"{encoder.model_id}-{encoder.precision}"
    corpus = Corpus.of(labelled, embeddings, model=model, base_rate=given.base_rate)
    strategies = tuple(options.strategies.split(",")) if options.strategies else CLASS_STRATEGIES
    plan = Plan(corpus, given.circle, strategies, options.seeds)
    return replay(
        name,
        plan,
        plan.kept(options.out / name),
        jobs=options.jobs,
        notes=labelled.notes,
        on_curve=lambda curve: log(f"{name}: {_told(curve)}"),
    )


def _told(curve: Curve) -> str:
    measure, values = next(iter(curve.measures.items()))
    return f"seed {curve.seed}, {curve.strategy}: {measure} {values[0]:.3f} to {values[-1]:.3f}"


if __name__ == "__main__":
    sys.exit(main())
