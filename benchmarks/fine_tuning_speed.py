"""What a fine-tuning costs beside the library's own trainer, on the same rows at equal quality.

Each side trains in a process of its own, so that its memory is its alone. The library has its
defaults and texts padded to 128 tokens, as its tutorials pad them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.measure import Row
from benchmarks.single_function_titles import read_titles, split_titles

ROWS, EPOCHS = 1_000, 3
JUDGED_ROWS = 1_000
SEEN_ROWS = 100
MAX_TOKENS = 128
BATCH = 8
RATE = 5e-5
"""Batch and rate are the library's defaults."""

Rows = list[dict[str, str]]
Answers = Callable[[list[str]], Sequence[str]]


def run(data: Path, limit: int) -> Iterator[Row]:
    """Yield time, memory and quality of both sides, for titles and for whole postings."""
    for kind in READERS:
        yield from _beside(data, limit, kind)


def _beside(data: Path, limit: int, kind: str) -> list[Row]:
    ours, library = (_in_child(data, limit, kind, side) for side in ("ours", "library"))
    name = f"full, {int(ours['rows']):,} {kind}, {EPOCHS} epochs"
    return [
        Row(name, ours["seconds"], "s"),
        Row(f"{name}, by transformers' Trainer", library["seconds"], "s"),
        Row(f"{name}, times as fast", library["seconds"] / ours["seconds"], "x"),
        Row(f"{name}, the same by CPU time", library["cpu_seconds"] / ours["cpu_seconds"], "x"),
        Row(f"{name}, right of held-out rows", ours["right"], "%"),
        Row(f"{name}, by transformers' Trainer, right", library["right"], "%"),
        Row(f"{name}, peak memory", ours["peak_mb"], "MB"),
        Row(f"{name}, by transformers' Trainer, peak", library["peak_mb"], "MB"),
    ]


def _in_child(data: Path, limit: int, kind: str, side: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.fine_tuning_speed", "--data", str(data)]
    command += ["--rows", str(limit), "--kind", kind, "--side", side]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _titles(data: Path, limit: int) -> tuple[Rows, Rows]:
    return split_titles(read_titles(data, limit))


def _postings(data: Path, limit: int) -> tuple[Rows, Rows]:
    """Return postings of EMSCAD, which are longer than 128 tokens; the label is whether a fraud."""
    with gzip.open(data / "scam_emscad.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    rows = [
        {"text": f"{row['title']}\n{row['description']}", "label": row["fraudulent"]}
        for row in found
        if row["description"].strip()
    ]
    order = np.random.default_rng(0).permutation(len(rows))[:limit]
    return split_titles([rows[at] for at in order])


READERS: dict[str, Callable[[Path, int], tuple[Rows, Rows]]] = {
    "titles": _titles,
    "postings": _postings,
}


def _measure(data: Path, limit: int, kind: str, side: str) -> dict[str, float]:
    learnt, held_out = READERS[kind](data, limit)
    learnt, held_out = learnt[:ROWS], held_out[:JUDGED_ROWS]
    started, started_cpu = time.perf_counter(), time.process_time()
    answers = {"ours": _train_ours, "library": _train_library}[side](learnt)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    found = answers([row["text"] for row in held_out])
    right = np.mean([answer == row["label"] for answer, row in zip(found, held_out, strict=True)])
    return {
        "rows": len(learnt),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_mb": peak_mb,
        "right": 100 * float(right),
    }


def _train_ours(rows: Rows) -> Answers:
    from jobsentinel_workers.fine_tuning import (
        FineTunedBERT,
        FineTuningConfig,
        JobMatchingDataset,
        train_fine_tuned,
    )

    config = FineTuningConfig(
        method="full", epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE, precision="auto"
    )
    dataset = JobMatchingDataset.from_rows(_distinct(rows))
    # The library's defaults set no rows apart; a few that are learnt from choose the epoch here.
    seen = JobMatchingDataset(dataset.task, dataset.examples[:SEEN_ROWS])
    model = train_fine_tuned(config, dataset, validation=seen).model
    assert isinstance(model, FineTunedBERT)
    return lambda texts: [answer["class"] for answer in model.predict_batch(texts)]


def _distinct(rows: Rows) -> Rows:
    """Return one row a text: copies with two labels are refused."""
    return list({row["text"].casefold().strip(): row for row in rows}.values())


def _train_library(rows: Rows) -> Answers:
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainingArguments,
    )

    from jobsentinel_workers.encoders import packaged_model_path

    folder = str(packaged_model_path())
    rows = _distinct(rows)
    labels = sorted({row["label"] for row in rows})
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def encode(texts: list[str]) -> Any:
        return tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_TOKENS)

    encoded = encode([row["text"] for row in rows])
    examples = [
        {name: values[at] for name, values in encoded.items()}
        | {"labels": labels.index(row["label"])}
        for at, row in enumerate(rows)
    ]
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    with TemporaryDirectory() as output:
        options = TrainingArguments(
            output_dir=output, num_train_epochs=EPOCHS, report_to="none", disable_tqdm=True
        )
        Trainer(model=model, args=options, train_dataset=examples).train()

    @torch.inference_mode()
    def answer(texts: list[str]) -> list[str]:
        model.eval()
        found: list[int] = []
        for start in range(0, len(texts), 64):
            batch = {n: torch.tensor(v) for n, v in encode(texts[start : start + 64]).items()}
            found += model(**batch).logits.argmax(dim=1).tolist()
        return [labels[at] for at in found]

    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one side's measurement as JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.fine_tuning_speed", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=sys.maxsize)
    parser.add_argument("--kind", choices=READERS, required=True)
    parser.add_argument("--side", choices=("ours", "library"), required=True)
    options = parser.parse_args(arguments)
    print(json.dumps(_measure(options.data, options.rows, options.kind, options.side)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
