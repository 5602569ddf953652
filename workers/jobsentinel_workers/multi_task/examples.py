"""Labelled texts and the arrays they are learnt from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.multi_task.tasks import Label, Task

MIN_LABELS = 8
"""A task with fewer labels is not trained; the metrics say how many it had."""

Targets = dict[str, npt.NDArray[np.float64]]
"""By task: (n,) class positions, 0/1 or values; NaN where a label is missing."""


@dataclass(frozen=True, slots=True)
class MultiTaskExample:
    """A text with what is known about it; a label that is missing, None or NaN is not learnt."""

    text: str
    labels: Mapping[str, Label | None] = field(default_factory=dict)


def to_targets(rows: Sequence[MultiTaskExample], tasks: Mapping[str, Task]) -> Targets:
    """Return the targets of ``rows`` for each of ``tasks``.

    Raises:
        InvalidInput: a label is of the wrong kind, out of bounds or of an unknown task.
    """
    for position, row in enumerate(rows):
        unknown = sorted(set(row.labels) - set(tasks))
        if unknown:
            known = ", ".join(tasks)
            raise InvalidInput(f"rows.{position}.labels.{unknown[0]}", f"is none of {known}")
    return {
        name: np.array(
            [_target(task, row, position) for position, row in enumerate(rows)], dtype=np.float64
        )
        for name, task in tasks.items()
    }


def _target(task: Task, row: MultiTaskExample, position: int) -> float:
    try:
        return task.to_target(row.labels.get(task.name))
    except InvalidInput as error:
        raise InvalidInput(f"rows.{position}.{error.field}", error.problem) from None


def trainable(targets: Targets) -> list[str]:
    """Return the tasks that have enough labels, and at least two different ones.

    Raises:
        InvalidInput: no task has.
    """
    names = [name for name, values in targets.items() if _teaches(values)]
    if not names:
        raise InvalidInput(
            "rows",
            f"teach nothing: no task has {MIN_LABELS} labels with at least two different values",
        )
    return names


def _teaches(values: npt.NDArray[np.float64]) -> bool:
    known = values[~np.isnan(values)]
    return len(known) >= MIN_LABELS and len(np.unique(known)) > 1


def hold_out(
    rows: Sequence[MultiTaskExample], share: float, seed: int
) -> tuple[list[MultiTaskExample], list[MultiTaskExample]]:
    """Return ``rows`` in a part to train on and a part to validate with.

    Rows with one text go to one side, or the validation would contain what was learnt.
    """
    texts = list(dict.fromkeys(content_hash(row.text) for row in rows))
    order = np.random.default_rng(seed).permutation(len(texts))
    apart = {texts[n] for n in order[: max(1, round(share * len(texts)))]}
    return (
        [row for row in rows if content_hash(row.text) not in apart],
        [row for row in rows if content_hash(row.text) in apart],
    )


def take(targets: Targets, names: Iterable[str]) -> Targets:
    """Return the targets of the tasks in ``names``."""
    return {name: targets[name] for name in names}
