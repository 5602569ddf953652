"""The circle that improves a model by itself: select, label, train, judge, serve, and again.

A first version learns from a few labels. It then says which texts it would learn most from; they
get the demo's answers in a person's place, and everything after that happens without a command.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
from rich.console import Console

from jobsentinel import JobHandle, Producer, Settings, TrainResult

MODEL = KIND = "remote-policy"
SOURCE = "snippets"
"""Keeps these texts out of rankings of postings, should the demo run again."""
FIRST_LABELS = 24
"""So few make a poor model, which leaves the circle something to do."""
ASKED = 100
GATE = '{"min_rows":20}'
"""Of so few rows some 25 judge; by default the gate asks for a hundred."""
FIRST_GATE = {"min_rows": 4}

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Circle:
    """Texts with answers that nobody has asked for yet, and others that judge."""

    console: Console
    producer: Producer
    settings: Settings
    rows: Rows
    held_out: Rows

    def texts(self) -> list[dict[str, Any]]:
        """Return the texts as postings."""
        return [_posting("snippet", n, row) for n, row in enumerate(self.rows)]

    def first_version(self) -> int:
        """Train on a few labels and return how many of the held-out texts are right then."""
        self.producer.index(self.texts()).result(timeout_s=120)
        self.label({posting["id"]: {} for posting in self.texts()[:FIRST_LABELS]})
        job = self.producer.fine_tune(
            MODEL, dataset="labels:all", label_kind=KIND, method="head", seed=7, gate=FIRST_GATE
        )
        trained = self.wait(job, f"training on {FIRST_LABELS} labels")
        if trained.version == 1 and not trained.promoted:
            self.console.print("\nSo few labels prove nothing. A person may overrule the gate:")
            self.command("models", "promote", MODEL, "1", quiet=True)
        return self.judge()

    def turn(self) -> int:
        """Go round once and return how many of the held-out texts are right then."""
        self.start_loop()
        self.label(self.select())
        training = self.training()
        if training is not None:
            self.wait(training, "training on what was labelled")
        return self.judge()

    def select(self) -> dict[str, dict[str, Any]]:
        """Return the texts that would teach most, with what had chosen each."""
        texts = self.texts()
        known = [{"text": row["text"]} for row in self.rows[:FIRST_LABELS]]
        selection = self.producer.select(
            texts[FIRST_LABELS:], num_samples=ASKED, model=MODEL, labelled=known
        ).result(timeout_s=120)
        shown = {posting["id"]: posting["description"] for posting in texts}
        report.show_selection(self.console, selection, shown, rows=4)
        version = f"{selection.model.name}@{selection.model.version}"
        about = {"strategy": selection.strategy, "model_version": version}
        return {pick.id: {**about, "chosen_by": pick.chosen_by} for pick in selection.picks}

    def label(self, chosen: Mapping[str, Mapping[str, Any]]) -> None:
        """Store the demo's answers about these texts, as a person's answers would be."""
        pairs = zip(self.texts(), self.rows, strict=True)
        answers = {posting["id"]: row["label"] for posting, row in pairs}
        labels = [
            {"posting_id": id_, "kind": KIND, "value": answers[id_], "annotator": "demo", **about}
            for id_, about in chosen.items()
        ]
        stored = self.producer.add_labels(labels).result(timeout_s=120)
        self.console.print(f"{len(labels)} texts labelled, {stored.stored} of these labels are new")

    def start_loop(self) -> None:
        """Let labels teach the model from now on."""
        options = "--min-labels", "50", "--option", "method=head", "--option", "seed=7"
        self.command("loop", "start", KIND, "--model", MODEL, *options, "--option", f"gate={GATE}")

    def command(self, *words: str, quiet: bool = False) -> None:
        """Run what an operator would type; ``quiet`` leaves out what it prints."""
        self.console.print(f"[dim]$ jobsentinel {shlex.join(words)}[/]", soft_wrap=True)
        program = Path(sys.executable).with_name("jobsentinel")
        shown = subprocess.DEVNULL if quiet else None
        folder = "--data-dir", self.settings.data_dir
        subprocess.run([program, *folder, *words], check=True, stdout=shown)

    def training(self) -> JobHandle[TrainResult] | None:
        """Return the training that the new labels have caused; None when they caused none."""
        [found] = self.producer.check_loops([KIND]).result(timeout_s=60).loops
        self.console.print(f"the trigger: {found.reason}")
        if found.run_id is None:
            return None
        return self.producer.handle(found.run_id, "fine_tune")

    def wait(self, job: JobHandle[TrainResult], what: str) -> TrainResult:
        """Wait for a training and show what came of it."""
        trained = report.wait_with_progress(self.console, job, what)
        report.show_training(self.console, trained)
        return trained

    def judge(self) -> int:
        """Return how many texts that nobody labelled are right by the version in service."""
        texts = [_posting("held-out", n, row) for n, row in enumerate(self.held_out)]
        scored = self.producer.score(texts, models=[MODEL]).result(timeout_s=120)
        return report.show_held_out(self.console, MODEL, scored, self.held_out)


def _posting(what: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": f"{what}-{number:03}", "description": row["text"], "source": SOURCE}
