"""What the model and a TF-IDF baseline say of rows of one kind that neither was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobsentinel_workers.encoders import Runner
from jobsentinel_workers.multi_task import MultiTaskBERT, MultiTaskExample, Task, scored_text
from jobsentinel_workers.multi_task.assessment.baselines import constant_baseline, fit_baseline
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.metrics import measure
from jobsentinel_workers.multi_task.judging import judge_rows
from jobsentinel_workers.starter.near_duplicates import duplicate_groups


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """One kind of rows of one task.

    Attributes:
        name: of the kind, such as ``titles``.
        ours: what the model says.
        beside: what the baselines say, by their names.
        groups: (n,) which rows are near-copies of one another.
    """

    name: str
    ours: Judged
    beside: dict[str, Judged]
    groups: list[int]

    @classmethod
    def pooled(cls, folds: Sequence[JudgedPart]) -> JudgedPart:
        """Return folds of one kind as one; thresholds, which differ, by their mean."""
        offsets = np.cumsum([0, *(max(fold.groups) + 1 for fold in folds)])
        return cls(
            folds[0].name,
            pool([fold.ours for fold in folds]),
            {name: pool([fold.beside[name] for fold in folds]) for name in folds[0].beside},
            [
                int(offset) + group
                for fold, offset in zip(folds, offsets, strict=False)
                for group in fold.groups
            ],
        )

    def summary(self) -> str:
        """Return the main figures on one line."""
        said = {"ours": self.ours, **self.beside}
        parts = [
            f"{who} " + " ".join(f"{name}={value:.4f}" for name, value in measure(judged).items())
            for who, judged in said.items()
        ]
        return f"{self.ours.task.name} ({self.name}, {self.ours.rows} rows): " + "; ".join(parts)


def judge_part(
    name: str,
    model: MultiTaskBERT,
    task: str,
    *,
    train: Sequence[MultiTaskExample],
    test: Sequence[MultiTaskExample],
    runner: Runner,
) -> JudgedPart:
    """Return what ``model`` and baselines fitted to ``train`` say of ``test``."""
    question = model.tasks[task]
    ours = judge_rows(model, test, runner)[task]
    texts, targets = _labelled(question, train)
    judged_texts, truth = _labelled(question, test)
    baselines = {
        "tf-idf": fit_baseline(question, texts, targets),
        "constant": constant_baseline(question, targets),
    }
    groups = duplicate_groups(runner(model.encoder.plain(), judged_texts))
    beside = {who: baseline.judge(judged_texts, truth) for who, baseline in baselines.items()}
    return JudgedPart(name, ours, beside, groups)


def _labelled(task: Task, rows: Sequence[MultiTaskExample]) -> tuple[list[str], FloatArray]:
    targets = np.array([task.to_target(row.labels[task.name]) for row in rows])
    values = task.to_value(targets) if task.has_values else targets
    return [scored_text(row.text) for row in rows], values


def pool(judged: Sequence[Judged]) -> Judged:
    """Return what was said of parts of a set as one; thresholds, which differ, by their mean."""
    return replace(
        judged[0],
        targets=np.concatenate([part.targets for part in judged]),
        answers=np.concatenate([part.answers for part in judged]),
        threshold=float(np.mean([part.threshold for part in judged])),
    )


def part_metrics(parts: Sequence[JudgedPart]) -> dict[str, float]:
    """Return the metrics of ``parts`` under one name each: task, kind, who said it, metric."""
    return {
        f"{part.ours.task.name} ({part.name}) {who}{metric}": value
        for part in parts
        for who, judged in {"": part.ours, "tf-idf ": part.beside["tf-idf"]}.items()
        for metric, value in measure(judged).items()
    }
