"""What one model says of the judged rows of one task, checked before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.tasks import Task, TaskType

FloatArray = npt.NDArray[np.float64]
LOW, VALUE, HIGH = 0, 1, 2
"""Columns of the answers of a task with values."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Answers beside the truth, for rows that have a label and were not trained on.

    Attributes:
        task: the question.
        targets: (n,) class positions, 0/1, or values in the task's unit; (n, c) 0/1 where several
            classes can be right.
        answers: (n, c) probabilities of classes; (n,) probabilities of yes; (n, 3) low, value and
            high in the task's unit.
        threshold: probability from which a binary answer is yes.

    Raises:
        InvalidInput: the arrays do not fit the task, or hold what is no number.
    """

    task: Task
    targets: FloatArray
    answers: FloatArray
    threshold: float = 0.5

    def __post_init__(self) -> None:
        rows = len(self.targets)
        self._check_array("targets", self.targets, (rows, *self.task.target_shape))
        self._check_array("answers", self.answers, (rows, *_answer_shape(self.task)))
        self._check_range()

    def _check_array(self, name: str, values: FloatArray, shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            raise InvalidInput(self._field(name), f"must have shape {shape}, not {values.shape}")
        if not np.isfinite(values).all():
            raise InvalidInput(self._field(name), "must hold rows with a label and an answer only")

    def _check_range(self) -> None:
        if self.task.has_values:
            self._check_values()
            return
        highest = len(self.task.classes) - 1 if self.task.type is TaskType.CLASSIFICATION else 1
        if not np.isin(self.targets, np.arange(highest + 1)).all():
            raise InvalidInput(self._field("targets"), f"must be whole numbers from 0 to {highest}")
        if ((self.answers < 0) | (self.answers > 1 + 1e-6)).any():
            raise InvalidInput(self._field("answers"), "must be probabilities")

    def _check_values(self) -> None:
        if (np.diff(self.answers, axis=1) < 0).any():
            raise InvalidInput(self._field("answers"), "must be low <= value <= high")
        if self.task.transform == "log" and (self.targets <= 0).any() | (self.answers <= 0).any():
            raise InvalidInput(self._field("answers"), "and targets must be above 0")

    def _field(self, name: str) -> str:
        return f"judged.{self.task.name}.{name}"

    @property
    def rows(self) -> int:
        """How many rows are judged."""
        return len(self.targets)

    @property
    def in_learnt_scale(self) -> FloatArray:
        """Targets as the task learns them, logarithms where it learns those."""
        return np.log(self.targets) if self.task.transform == "log" else self.targets

    def answers_like(self, other: Judged) -> bool:
        """Return whether both say the same of every row."""
        return self.threshold == other.threshold and np.array_equal(self.answers, other.answers)


def _answer_shape(task: Task) -> tuple[int, ...]:
    if task.has_classes:
        return (len(task.classes),)
    return (3,) if task.has_values else ()
