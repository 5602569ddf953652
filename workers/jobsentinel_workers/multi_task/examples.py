"""Labelled texts and the arrays they are learnt from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.losses import known_rows
from jobsentinel_workers.multi_task.tasks import Label, Task

MIN_LABELS = 8
"""A task with fewer labels is not trained; the metrics say how many it had."""

Targets = dict[str, npt.NDArray[np.float64]]
"""By task: (n,) class positions, 0/1 or values, or (n, c) of 0/1; NaN where a label is missing."""


@dataclass(frozen=True, slots=True)
class MultiTaskExample:
    """A text with what is known about it; a label that is missing, None or NaN is not learnt.

    A task with several right classes at once takes a sequence of their names, also an empty one.
    """

    text: str
    labels: Mapping[str, Label | None] = field(default_factory=dict)


def to_targets(
    rows: Sequence[MultiTaskExample], tasks: Mapping[str, Task], field: str = "rows"
) -> Targets:
    """Return the targets of ``rows`` for each of ``tasks``.

    Raises:
        InvalidInput: a text is empty, or a label is of the wrong kind, out of bounds or of an
            unknown task; ``field`` and the position say which.
    """
    for position, row in enumerate(rows):
        _check(row, tasks, f"{field}.{position}")
    return {
        name: np.array(
            [_target(task, row, f"{field}.{position}") for position, row in enumerate(rows)],
            dtype=np.float64,
        ).reshape(len(rows), *task.target_shape)
        for name, task in tasks.items()
    }


def _check(row: MultiTaskExample, tasks: Mapping[str, Task], field: str) -> None:
    if not isinstance(row.text, str) or not row.text.strip():
        raise InvalidInput(f"{field}.text", f"must be text that is not empty, not {row.text!r:.60}")
    unknown = sorted(set(row.labels) - set(tasks))
    if unknown:
        raise InvalidInput(f"{field}.labels.{unknown[0]}", f"is none of {', '.join(tasks)}")


def _target(task: Task, row: MultiTaskExample, field: str) -> float | npt.NDArray[np.float64]:
    try:
        return task.to_target(row.labels.get(task.name))
    except InvalidInput as error:
        raise InvalidInput(f"{field}.{error.field}", error.problem) from None


def trainable(targets: Targets) -> list[str]:
    """Return the tasks that have enough labels, and at least two different ones.

    Raises:
        InvalidInput: no task has.
    """
    lacking = {name: _lack(values) for name, values in targets.items()}
    names = [name for name, lack in lacking.items() if lack is None]
    if not names:
        why = "; ".join(f"{name} has {lack}" for name, lack in lacking.items())
        raise InvalidInput(
            "rows",
            f"teach nothing: no task has {MIN_LABELS} labels with at least two different values "
            f"({why})",
        )
    return names


def _lack(values: npt.NDArray[np.float64]) -> str | None:
    """Return why a task cannot be learnt from (n,) or (n, c) targets, None where it can."""
    known = values[known_rows(values)]
    if len(known) < MIN_LABELS:
        return f"{len(known)} labels"
    return f"{len(known)} labels, all the same" if (known == known[0]).all() else None


def skipped_labels(targets: Targets, trained: Iterable[str]) -> dict[str, float]:
    """Return how many labels the tasks have that are not trained, as metrics."""
    return {
        f"{name}_skipped_labels": float(known_rows(values).sum())
        for name, values in targets.items()
        if name not in set(trained)
    }


def take(targets: Targets, names: Iterable[str]) -> Targets:
    """Return the targets of the tasks in ``names``."""
    return {name: targets[name] for name in names}
