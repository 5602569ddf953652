"""The scoring model before the gate: what a version says of the frozen rows, and which rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from jobsentinel_workers.encoders import Runner, run_directly
from jobsentinel_workers.gate.decide import Contender
from jobsentinel_workers.multi_task.assessment.bootstrap import Groups
from jobsentinel_workers.multi_task.examples import MultiTaskExample, to_targets
from jobsentinel_workers.multi_task.judging import judge_rows
from jobsentinel_workers.multi_task.losses import known_rows
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.tasks import Label, Task


def judge_scoring_model(
    model: MultiTaskBERT,
    identity: str,
    rows: Sequence[MultiTaskExample],
    questions: Mapping[str, Task],
    runner: Runner = run_directly,
) -> Contender:
    """Return ``model`` as it comes before the gate.

    A task of the model that asks something else under the same name counts as one it lacks: its
    answers cannot be held against these labels.

    Args:
        model: as it would serve, so load it as serving does.
        identity: name and version.
        rows: the frozen ones.
        questions: the challenger's tasks, by name.

    Raises:
        InvalidInput: a label does not fit its task.
    """
    asked = {name for name, task in questions.items() if _is_same(task, model.tasks.get(name))}
    own = [MultiTaskExample(row.text, _only(row, asked)) for row in rows]
    redefined = questions.keys() - asked
    answered = model.trained_tasks - redefined
    return Contender(identity, judge_rows(model, own, runner) if own else {}, answered)


def groups_of_tasks(
    rows: Sequence[MultiTaskExample], groups: Sequence[int], tasks: Mapping[str, Task]
) -> dict[str, Groups]:
    """Return, by task, the groups of those ``rows`` that have a label of it."""
    every = np.asarray(groups, dtype=np.int64)
    targets = to_targets(rows, tasks)
    return {name: every[known_rows(values)] for name, values in targets.items()}


def taught_tasks(tasks: Mapping[str, Task], metrics: Mapping[str, float]) -> list[str]:
    """Return the tasks that a training taught, by the metrics that it returned."""
    return [name for name in tasks if f"{name}_skipped_labels" not in metrics]


def _is_same(task: Task, other: Task | None) -> bool:
    return other is not None and (task.type, task.classes) == (other.type, other.classes)


def _only(row: MultiTaskExample, names: set[str]) -> dict[str, Label | None]:
    return {name: label for name, label in row.labels.items() if name in names}
