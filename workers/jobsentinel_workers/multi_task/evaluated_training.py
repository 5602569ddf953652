"""Training with an honest account of what it brought.

A part of the rows is set apart before anything is learnt, near-duplicates with their like. The
model, the same training of each task by itself, words under a linear model, and an answer that
never changes are then judged on that part alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobsentinel_workers.multi_task.assessment.baselines import constant_baseline, fit_baseline
from jobsentinel_workers.multi_task.assessment.evaluation import Evaluation, evaluate
from jobsentinel_workers.multi_task.assessment.judged import Judged
from jobsentinel_workers.multi_task.examples import MultiTaskExample, to_targets
from jobsentinel_workers.multi_task.judging import judge_rows
from jobsentinel_workers.multi_task.losses import FloatArray, known_rows
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.predictor import scored_text
from jobsentinel_workers.multi_task.run_control import OnProgress, Progress
from jobsentinel_workers.multi_task.splitting import hold_out
from jobsentinel_workers.multi_task.tasks import Task
from jobsentinel_workers.multi_task.trainer import MultiTaskTrainer

TEST_SHARE = 0.15
MIN_TESTED_ROWS = 100
"""With fewer, every row is needed to learn from; the rows that chose the weights then judge."""

_FEW = (
    "So few rows were judged on the rows that chose the weights and the calibration: the figures "
    "are flattering."
)
_NO_SINGLE = (
    "Single-task models are not shown: over a frozen encoder the heads share nothing, so each is "
    "the same as alone."
)

MakeTrainer = Callable[[MultiTaskBERT, Path | None, OnProgress], MultiTaskTrainer]
"""From a model, a run folder and who hears progress."""


@dataclass(frozen=True, slots=True)
class EvaluatedTraining:
    """A trained model and what is known of it.

    Attributes:
        model: trained on all rows but those that judge.
        metrics: of the rows that chose its weights, by task and name.
        evaluation: of the rows set apart.
        judged: the model's answers there, by task, for plots.
    """

    model: MultiTaskBERT
    metrics: dict[str, float]
    evaluation: Evaluation
    judged: dict[str, Judged]


def train_and_evaluate(
    make_model: Callable[[], MultiTaskBERT],
    make_trainer: MakeTrainer,
    rows: Sequence[MultiTaskExample],
    *,
    name: str,
    date: str,
    seed: int = 0,
    single_tasks: bool = True,
    folder: Path | None = None,
    on_progress: OnProgress,
    test_rows: Sequence[MultiTaskExample] = (),
) -> EvaluatedTraining:
    """Train a model on most of ``rows`` and return it with its evaluation on the others.

    Args:
        make_model: makes the model that training starts from, each time anew.
        make_trainer: makes its trainer.
        rows: labelled texts.
        name: of the model, for the report.
        date: ISO 8601, for the report.
        seed: of the split and of the bootstrap.
        single_tasks: also train each task by itself, to tell what training together does to it;
            never with the method ``head``.
        folder: keeps what a stopped run needs to go on.
        on_progress: hears of all trainings as of one.
        test_rows: judge in the place of a part of ``rows``, all of which then train.

    Raises:
        InvalidInput: a label does not fit its task, or the rows teach no task.
        TrainingStopped: the trainer was told to stop.
    """
    model = make_model()
    to_targets(rows, model.tasks)  # names a bad row by the position that the caller knows
    parts = _parts(rows, test_rows, seed)
    tasks = _labelled_tasks(rows, model.tasks) if single_tasks else []
    course = _Course(make_model, make_trainer, parts, folder, _Stages(on_progress))
    metrics, ours, alone = course.run(model, tasks)
    evaluation = evaluate(
        ours,
        {**_baselines(model.tasks, ours, parts), **alone},
        model=name,
        precision=model.encoder.precision,
        date=date,
        notes=_notes(parts, singles_are_the_same=len(tasks) > 1 and not alone),
        seed=seed,
    )
    return EvaluatedTraining(model, metrics, evaluation, ours)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Rows to learn from, rows that judge, and these again where they must choose weights too."""

    learnt: list[MultiTaskExample]
    test: list[MultiTaskExample]
    validation: list[MultiTaskExample] | None

    def of(self, task: str) -> _Parts:
        """Return the rows with a label of ``task``, without their other labels."""
        return _Parts(
            _only(self.learnt, task),
            _only(self.test, task),
            None if self.validation is None else _only(self.validation, task),
        )


def _parts(
    rows: Sequence[MultiTaskExample], test_rows: Sequence[MultiTaskExample], seed: int
) -> _Parts:
    if test_rows:
        return _Parts(list(rows), list(test_rows), None)
    learnt, test = hold_out(rows, TEST_SHARE, seed)
    return _Parts(learnt, test, test if len(rows) < MIN_TESTED_ROWS else None)


def _only(rows: Sequence[MultiTaskExample], task: str) -> list[MultiTaskExample]:
    found = [(row.text, row.labels.get(task)) for row in rows]
    return [MultiTaskExample(text, {task: label}) for text, label in found if label is not None]


def _labelled_tasks(rows: Sequence[MultiTaskExample], tasks: Mapping[str, Task]) -> list[str]:
    targets = to_targets(rows, tasks)
    return [task for task, values in targets.items() if known_rows(values).any()]


def _baselines(
    tasks: Mapping[str, Task], ours: Mapping[str, Judged], parts: _Parts
) -> dict[str, dict[str, Judged]]:
    found: dict[str, dict[str, Judged]] = {"tf-idf": {}, "constant": {}}
    for name in ours:
        task = tasks[name]
        texts, truth = _texts_and_truth(task, parts.learnt)
        judged_texts, judged_truth = _texts_and_truth(task, parts.test)
        words, constant = fit_baseline(task, texts, truth), constant_baseline(task, truth)
        found["tf-idf"][name] = words.judge(judged_texts, judged_truth)
        found["constant"][name] = constant.judge(judged_texts, judged_truth)
    return found


def _texts_and_truth(task: Task, rows: Sequence[MultiTaskExample]) -> tuple[list[str], FloatArray]:
    own = [MultiTaskExample(row.text, {task.name: row.labels.get(task.name)}) for row in rows]
    targets = to_targets(own, {task.name: task})[task.name]
    known = known_rows(targets)
    texts = [scored_text(row.text) for row, has in zip(rows, known, strict=True) if has]
    return texts, task.to_value(targets[known]) if task.has_values else targets[known]


def _notes(parts: _Parts, *, singles_are_the_same: bool) -> list[str]:
    few = [_FEW] if parts.validation is not None else []
    return few + ([_NO_SINGLE] if singles_are_the_same else [])


class _Stages:
    """Makes several trainings, one after the other, parts of one progress."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.count = 1
        self._begun = 0
        self._on_progress = on_progress

    def next(self) -> OnProgress:
        """Return who hears of the next training."""
        position = self._begun
        self._begun += 1

        def on_part(progress: Progress) -> None:
            fraction = (position + progress["fraction"]) / self.count
            self._on_progress({**progress, "fraction": fraction, "stage": float(position)})

        return on_part


@dataclass(frozen=True, slots=True)
class _Course:
    """The trainings of one account: of all tasks together, then of each by itself."""

    make_model: Callable[[], MultiTaskBERT]
    make_trainer: MakeTrainer
    parts: _Parts
    folder: Path | None
    stages: _Stages

    def run(
        self, model: MultiTaskBERT, tasks: Sequence[str]
    ) -> tuple[dict[str, float], dict[str, Judged], dict[str, dict[str, Judged]]]:
        """Train ``model``; return its metrics, its answers, and those of the single ``tasks``.

        The last are there only when sharing an encoder can make a difference.
        """
        trainer = self.make_trainer(model, self.folder, self.stages.next())
        comparable = len(tasks) > 1 and trainer.method != "head"
        self.stages.count += len(tasks) if comparable else 0
        metrics = trainer.train(self.parts.learnt, self.parts.validation)
        ours = judge_rows(model, self.parts.test, trainer.runner)
        if not comparable:
            return metrics, ours, {}
        alone = {task: judged for task in tasks for judged in self._alone(task)}
        return metrics, ours, {"single-task": alone}

    def _alone(self, task: str) -> list[Judged]:
        """Return what a model of ``task`` alone says of the rows that judge, if any can."""
        own = self.parts.of(task)
        folder = None if self.folder is None else self.folder / "single-task" / task
        model = self.make_model()
        trainer = self.make_trainer(model, folder, self.stages.next())
        trainer.train(own.learnt, own.validation)
        judged = judge_rows(model, own.test, trainer.runner) if own.test else {}
        return [judged[task]] if task in judged else []
