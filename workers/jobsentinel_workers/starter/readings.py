"""What heads should read of a posting, measured on real ones.

    python -m jobsentinel_workers.starter.readings long --data DIR
    python -m jobsentinel_workers.starter.readings pooling --data DIR

``long``: of postings longer than the encoder reads, the beginning, twice as much of it, windows
over all of it, or chosen sentences, with or without the title beside. The encoder is frozen, the
heads are learnt in five folds that keep near-duplicates together.

``pooling``: mean, first token, title and attention, each trained with the encoder's top two layers
on the same rows of four tasks.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from jobsentinel.contract.text import compose_posting_text
from jobsentinel_workers.encoders import (
    FloatArray,
    Pooler,
    PoolingChoice,
    SequenceModel,
    TextEncoder,
    TextInput,
    run_directly,
)
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskTrainer,
    Task,
    TaskType,
    scored_text,
)
from jobsentinel_workers.multi_task.assessment.evaluation import Evaluation, evaluate
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.assessment.table import to_table
from jobsentinel_workers.multi_task.judging import judge_rows
from jobsentinel_workers.multi_task.near_duplicates import near_duplicate_groups
from jobsentinel_workers.multi_task.splitting import hold_out
from jobsentinel_workers.starter import together
from jobsentinel_workers.starter.command_line import log, parser, today
from jobsentinel_workers.starter.judged_part import pool
from jobsentinel_workers.starter.open_data import read_csv, read_emscad
from jobsentinel_workers.starter.splits import folds_by_group

FOLDS = 5
WINDOW_CHARS, MAX_WINDOWS = 550, 6
TEST_SHARE = 0.15
EPOCHS = 200
"""Of heads over frozen embeddings; they stop by themselves."""

Rows = list[MultiTaskExample]
Rewrite = Callable[[str], list[str]]
"""From a text to the texts that are encoded in its stead, whose embeddings are averaged."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read long postings."""

    name: str
    encoder: TextEncoder
    rewrite: Rewrite

    def remembering(self) -> Callable[[SequenceModel, Sequence[TextInput]], FloatArray]:
        """Return a runner that reads in this way, each text once."""
        known: dict[str, FloatArray] = {}

        def run(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
            for text in map(str, inputs):
                if text not in known:
                    mean = run_directly(model, self.rewrite(text)).mean(axis=0)
                    known[text] = mean / np.linalg.norm(mean)
            return np.stack([known[str(text)] for text in inputs])

        return run


def all_of_it(text: str) -> list[str]:
    """Return the text, of which the encoder reads the beginning."""
    return [text]


def windows(text: str) -> list[str]:
    """Return parts of a text that the encoder reads whole, the first of them."""
    return textwrap.wrap(text, WINDOW_CHARS)[:MAX_WINDOWS] or [text]


_ASKS = re.compile(
    r"\b(responsib|requir|qualif|experience|skill|must|will|dut(y|ies)|degree|knowledge|ability)",
    re.IGNORECASE,
)
_ADVERTISES = re.compile(
    r"\b(equal opportunit|diversity|about us|our company|founded|leading|mission|benefits|apply"
    r"|contact|agency|insurance|vacation)",
    re.IGNORECASE,
)


def chosen(text: str) -> list[str]:
    """Return the first two lines and the sentences that say what the job asks, then the others."""
    first, second, *rest = (*text.split("\n"), "", "")
    sentences = [part for part in re.split(r"(?<=[.!?;])\s+", " ".join(rest)) if part]
    worth = [bool(_ASKS.search(part)) - bool(_ADVERTISES.search(part)) for part in sentences]
    order = sorted(range(len(sentences)), key=lambda n: (-worth[n], n))
    return ["\n".join(filter(None, (first, second, " ".join(sentences[n] for n in order))))]


def compare_long(data: Path, seed: int, log: Callable[[str], None]) -> Evaluation:
    """Return the title beside the beginning, compared with the other readings."""
    plain = TextEncoder.load(precision="fp32")
    longer = TextEncoder.load(precision="fp32", max_tokens=256)
    title = Pooler(plain.output_dim, title=True)
    readings = [
        Reading("title beside", plain.with_pooler(title), all_of_it),
        Reading("first 128 tokens", plain, all_of_it),
        Reading("first 256 tokens", longer, all_of_it),
        Reading("windows", plain, windows),
        Reading("chosen", plain, chosen),
        Reading("title + chosen", plain.with_pooler(title), chosen),
        Reading("title + 256", longer.with_pooler(title), all_of_it),
    ]
    ours: dict[str, Judged] = {}
    beside: dict[str, dict[str, Judged]] = {reading.name: {} for reading in readings[1:]}
    for task, rows in long_postings(data):
        for reading in readings:
            judged = _in_folds(reading, task, rows, seed)
            log(f"{task.name}: {reading.name} done, {len(rows)} rows")
            (ours if reading is readings[0] else beside[reading.name])[task.name] = judged
    return evaluate(ours, beside, model=readings[0].name, precision="fp32", date=today())


def long_postings(data: Path) -> list[tuple[Task, Rows]]:
    """Return a question and labelled postings with descriptions for each of three sets."""
    google = read_csv(data / "category_google.csv.gz")
    adzuna = read_csv(data / "salary_adzuna.csv.gz")
    scam = Task("scam", TaskType.BINARY, hidden=0)
    pay = Task("salary_gbp", TaskType.REGRESSION, transform="log", unit="GBP")
    names = tuple(sorted({row["category"] for row in google}))
    category = Task("category", TaskType.CLASSIFICATION, classes=names)
    return [
        (category, [MultiTaskExample(_text(row), {"category": row["category"]}) for row in google]),
        (
            scam,
            [MultiTaskExample(row.text, {"scam": row.fraudulent}) for row in read_emscad(data)],
        ),
        (
            pay,
            [
                MultiTaskExample(_text(row), {"salary_gbp": float(row["salary_year_gbp"])})
                for row in adzuna
            ],
        ),
    ]


def _text(row: dict[str, str]) -> str:
    return compose_posting_text(
        title=row["title"], location=row["location"], description=row["description"]
    )


def _in_folds(reading: Reading, task: Task, rows: Rows, seed: int) -> Judged:
    groups = near_duplicate_groups([scored_text(row.text) for row in rows])
    runner, parts = reading.remembering(), []
    for fold in folds_by_group(groups, FOLDS, seed):
        model = MultiTaskBERT(reading.encoder, [task])
        trainer = MultiTaskTrainer(
            model, epochs=EPOCHS, learning_rate=2e-3, seed=seed, runner=runner
        )
        apart = set(fold)
        trainer.train([row for position, row in enumerate(rows) if position not in apart])
        parts.append(judge_rows(model, [rows[n] for n in fold], runner)[task.name])
    return pool(parts)


def compare_poolings(data: Path, seed: int, log: Callable[[str], None]) -> Evaluation:
    """Return the title beside the mean, compared with the other poolings, without word models."""
    learnt, test = hold_out(together.rows_of_tasks(data, seed), TEST_SHARE, seed)
    choices: tuple[PoolingChoice, ...] = ("title", "mean", "cls", "attention")
    tasks = [replace(task, words="none") for task in together.tasks()]
    judged: dict[str, dict[str, Judged]] = {}
    for choice in choices:
        model = MultiTaskBERT(TextEncoder.load(precision="fp32"), tasks, choice)
        trainer = MultiTaskTrainer(model, "top2", epochs=together.EPOCHS, seed=seed)
        trainer.train(learnt)
        judged[choice] = judge_rows(model, test)
        log(f"pooling: {choice} done")
    ours = judged.pop("title")
    return evaluate(ours, judged, model="title", precision="fp32", date=today())


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare what the command line asks for; return the exit code."""
    arguments_of = parser("Measure what heads should read of a posting.", threads=2)
    arguments_of.add_argument("what", choices=("long", "pooling"))
    options = arguments_of.parse_args(arguments)
    torch.set_num_threads(options.threads)
    compare = compare_long if options.what == "long" else compare_poolings
    found = compare(options.data, options.seed, log)
    print(to_table(found))
    print("\n".join(_differences(found)))
    return 0


def _differences(found: Evaluation) -> list[str]:
    return [
        f"{task.task.name}, {found.model} minus {other}: "
        + ", ".join(
            f"{name} {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
            for name, gap in task.difference[other].items()
        )
        for task in found.tasks
        for other in task.difference
    ]


if __name__ == "__main__":
    sys.exit(main())
