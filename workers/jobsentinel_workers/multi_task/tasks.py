"""What a multi-task model can be asked, and what kind of answer each question has."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.errors import InvalidInput

Label = str | float | bool
FloatArray = npt.NDArray[np.float64]


class TaskType(StrEnum):
    """The kinds of question."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Task:
    """One question asked of every text.

    Attributes:
        name: key of its answer in predictions; letters, digits and underscores.
        type: the kind of answer.
        classes: the answers of a classification.
        transform: ``log`` learns the logarithm of a positive value, so that errors are relative.
        minimum: no answer of a regression lies below; None for no bound.
        maximum: no answer of a regression lies above; None for no bound.
        base_rate: how often a binary answer is yes in life, where training data are enriched.
        hidden: width of the head's hidden layer; 0 for a linear head.
        weight: of its loss beside those of the other tasks.

    Raises:
        InvalidInput: the fields contradict one another.
    """

    name: str
    type: TaskType
    classes: tuple[str, ...] = ()
    transform: Literal["identity", "log"] = "identity"
    minimum: float | None = None
    maximum: float | None = None
    base_rate: float | None = None
    hidden: int = 0
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise InvalidInput("tasks.name", f"must be an identifier, not {self.name!r}")
        is_classification = self.type is TaskType.CLASSIFICATION
        if is_classification and len(set(self.classes)) < 2:
            raise InvalidInput(f"tasks.{self.name}.classes", "must hold at least two classes")
        if len(set(self.classes)) != len(self.classes):
            raise InvalidInput(f"tasks.{self.name}.classes", "must not repeat a class")
        if not is_classification and self.classes:
            raise InvalidInput(f"tasks.{self.name}.classes", "are for classification only")

    @property
    def output_dim(self) -> int:
        """How many raw numbers the head gives: logits, or the median and two spreads."""
        sizes = {TaskType.CLASSIFICATION: len(self.classes), TaskType.REGRESSION: 3}
        return sizes.get(self.type, 1)

    def to_target(self, label: Label | None) -> float:
        """Return a label as the number a head learns; NaN where it is missing.

        Raises:
            InvalidInput: the label is of the wrong kind or out of bounds.
        """
        if label is None or (isinstance(label, float) and math.isnan(label)):
            return math.nan
        if self.type is TaskType.CLASSIFICATION:
            return self._class_target(label)
        if self.type is TaskType.BINARY:
            return self._binary_target(label)
        return self._value_target(label)

    def _class_target(self, label: Label) -> float:
        if not isinstance(label, str) or label not in self.classes:
            known = ", ".join(self.classes[:5])
            raise InvalidInput(
                f"labels.{self.name}",
                f"must be one of {len(self.classes)} classes ({known}, ...), not {label!r:.60}",
            )
        return float(self.classes.index(label))

    def _binary_target(self, label: Label) -> float:
        if isinstance(label, str) or label not in (0, 1):
            raise InvalidInput(f"labels.{self.name}", f"must be true or false, not {label!r:.60}")
        return float(label)

    def _value_target(self, label: Label) -> float:
        if isinstance(label, bool | str) or not math.isfinite(label):
            raise InvalidInput(f"labels.{self.name}", f"must be a finite number, not {label!r:.60}")
        low = 0.0 if self.transform == "log" else -math.inf
        low = low if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= label <= high or (self.transform == "log" and label <= 0):
            raise InvalidInput(
                f"labels.{self.name}", f"must be from {low:g} to {high:g}, not {label:g}"
            )
        return math.log(label) if self.transform == "log" else float(label)

    def to_value(self, targets: FloatArray) -> FloatArray:
        """Return learnt numbers as values in the task's unit, inside its bounds."""
        values = np.exp(targets) if self.transform == "log" else targets
        return np.clip(values, self.minimum, self.maximum)

    def to_json(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return asdict(self) | {"type": self.type.value, "classes": list(self.classes)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Return the task that :meth:`to_json` wrote."""
        kinds = {"type": TaskType(fields["type"]), "classes": tuple(fields["classes"])}
        return cls(**(fields | kinds))


MIN_SALARY_YEAR_USD = 1_000.0
MAX_SALARY_YEAR_USD = 10_000_000.0
SCAM_BASE_RATE = 0.048
"""Share of fraudulent postings in the whole of EMSCAD."""


def job_matching_tasks() -> tuple[Task, ...]:
    """Return the four questions that JobSentinel asks of a posting."""
    return (
        Task("job_category", TaskType.CLASSIFICATION, classes=tuple(JOB_CATEGORIES), hidden=256),
        Task(
            "salary_prediction",
            TaskType.REGRESSION,
            transform="log",
            minimum=MIN_SALARY_YEAR_USD,
            maximum=MAX_SALARY_YEAR_USD,
            hidden=256,
        ),
        Task("scam_detection", TaskType.BINARY, base_rate=SCAM_BASE_RATE),
        Task("match_quality", TaskType.REGRESSION, minimum=0.0, maximum=1.0),
    )
