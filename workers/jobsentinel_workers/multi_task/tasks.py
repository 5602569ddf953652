"""What a multi-task model can be asked, and what kind of answer each question has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.errors import InvalidInput

Label = str | float | bool | Sequence[str]
FloatArray = npt.NDArray[np.float64]
Loss = Literal["cross_entropy", "binary_cross_entropy", "huber", "absolute", "squared", "pinball"]

Words = Literal["none", "whole", "titled"]


class TaskType(StrEnum):
    """The kinds of question."""

    CLASSIFICATION = "classification"
    """Exactly one of several classes is right."""
    MULTILABEL = "multilabel"
    """Any number of several classes are right at once."""
    BINARY = "binary"
    REGRESSION = "regression"
    """A number, with an interval of the same width everywhere."""
    QUANTILE = "quantile"
    """A number, with an interval as wide as the text leaves it open."""


_LOSSES: Final[Mapping[TaskType, tuple[Loss, ...]]] = MappingProxyType(
    {
        TaskType.CLASSIFICATION: ("cross_entropy",),
        TaskType.MULTILABEL: ("binary_cross_entropy",),
        TaskType.BINARY: ("binary_cross_entropy",),
        TaskType.REGRESSION: ("huber", "absolute", "squared"),
        TaskType.QUANTILE: ("pinball",),
    }
)
"""What each kind can learn by; the first is its default."""

_OF_CLASSES = frozenset({TaskType.CLASSIFICATION, TaskType.MULTILABEL})
_OF_VALUES = frozenset({TaskType.REGRESSION, TaskType.QUANTILE})
QUANTILE_OUTPUTS = 3


@dataclass(frozen=True, slots=True)
class Task:
    """One question asked of every text.

    Attributes:
        name: key of its answer in predictions; letters, digits and underscores.
        type: the kind of answer.
        classes: the answers of a classification or a multilabel task.
        transform: ``log`` learns the logarithm of a positive value, so that errors are relative.
        loss: what is minimised; None takes the default of the type.
        unit: of the value, for people, such as ``USD a year``.
        minimum: no value lies below; None for no bound.
        maximum: no value lies above; None for no bound.
        base_rate: how often a binary answer is yes in life, where training data are enriched.
        precision: share of the yes answers that shall be right, for which the threshold of a
            binary task is chosen; None chooses the threshold of the best F1.
        hidden: width of the head's hidden layer; 0 for a linear head.
        title: whether its head reads the title by itself too, where the pooling has it beside the
            text's embedding.
        words: ``whole`` lets a linear model over the words of the text answer beside the head;
            ``titled`` counts the words of the first line, a posting's title, by themselves too.
        weight: of its loss beside those of the other tasks.

    Raises:
        InvalidInput: the fields contradict one another.
    """

    name: str
    type: TaskType
    classes: tuple[str, ...] = ()
    transform: Literal["identity", "log"] = "identity"
    loss: Loss | None = None
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    base_rate: float | None = None
    precision: float | None = None
    hidden: int = 0
    title: bool = True
    words: Words = "none"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise InvalidInput("tasks.name", f"must be an identifier, not {self.name!r}")
        if self.has_classes and len(set(self.classes)) < 2:
            raise InvalidInput(f"{self._field}.classes", "must hold at least two classes")
        if len(set(self.classes)) != len(self.classes):
            raise InvalidInput(f"{self._field}.classes", "must not repeat a class")
        if not self.has_classes and self.classes:
            raise InvalidInput(f"{self._field}.classes", f"are not for the type {self.type}")
        if self.transform == "log" and not self.has_values:
            raise InvalidInput(f"{self._field}.transform", "log is for values only")
        self._check_choices()
        self._check_numbers()

    def _check_choices(self) -> None:
        allowed = _LOSSES[self.type]
        if self.words not in get_args(Words):
            raise InvalidInput(
                f"{self._field}.words", f"must be one of {', '.join(get_args(Words))}"
            )
        if self.loss is not None and self.loss not in allowed:
            raise InvalidInput(f"{self._field}.loss", f"must be one of {', '.join(allowed)}")

    def _check_numbers(self) -> None:
        for name in ("base_rate", "precision"):
            share = getattr(self, name)
            if share is not None and (self.type is not TaskType.BINARY or not 0 < share < 1):
                raise InvalidInput(
                    f"{self._field}.{name}", "must lie between 0 and 1, for a binary task"
                )
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InvalidInput(f"{self._field}.weight", f"must be above 0, not {self.weight}")
        if self.hidden < 0:
            raise InvalidInput(f"{self._field}.hidden", f"must not be negative ({self.hidden})")
        if None not in (self.minimum, self.maximum) and self.minimum >= self.maximum:  # type: ignore[operator]  # neither is None
            raise InvalidInput(f"{self._field}.minimum", "must lie below the maximum")

    @property
    def _field(self) -> str:
        return f"tasks.{self.name}"

    @property
    def has_classes(self) -> bool:
        """Whether the answer is among named classes."""
        return self.type in _OF_CLASSES

    @property
    def has_values(self) -> bool:
        """Whether the answer is a number with an interval."""
        return self.type in _OF_VALUES

    @property
    def learns_by(self) -> Loss:
        """The loss that is minimised."""
        return self.loss or _LOSSES[self.type][0]

    @property
    def output_dim(self) -> int:
        """How many raw numbers the head gives: logits, a value, or three quantiles."""
        if self.has_classes:
            return len(self.classes)
        return QUANTILE_OUTPUTS if self.type is TaskType.QUANTILE else 1

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Shape of one label as numbers: () for one number, (c,) where classes add up."""
        return (len(self.classes),) if self.type is TaskType.MULTILABEL else ()

    def to_target(self, label: Label | None) -> float | FloatArray:
        """Return a label as what a head learns; NaN where it is missing.

        Raises:
            InvalidInput: the label is of the wrong kind or out of bounds.
        """
        if label is None or (isinstance(label, float) and math.isnan(label)):
            return np.full(self.target_shape, math.nan) if self.target_shape else math.nan
        if self.type is TaskType.MULTILABEL:
            return self._classes_target(label)
        if self.type is TaskType.CLASSIFICATION:
            return self._class_target(label)
        if self.type is TaskType.BINARY:
            return self._binary_target(label)
        return self._value_target(label)

    def _classes_target(self, label: Label) -> FloatArray:
        names = [label] if isinstance(label, str) else label
        if not isinstance(names, Sequence):
            raise InvalidInput(f"labels.{self.name}", f"must be classes, not {label!r:.60}")
        target = np.zeros(len(self.classes))
        target[[int(self._class_target(name)) for name in names]] = 1.0
        return target

    def _class_target(self, label: Label) -> float:
        if not isinstance(label, str) or label not in self.classes:
            known = ", ".join(self.classes[:5])
            raise InvalidInput(
                f"labels.{self.name}",
                f"must be one of {len(self.classes)} classes ({known}, ...), not {label!r:.60}",
            )
        return float(self.classes.index(label))

    def _binary_target(self, label: Label) -> float:
        if not isinstance(label, int | float) or label not in (0, 1):
            raise InvalidInput(f"labels.{self.name}", f"must be true or false, not {label!r:.60}")
        return float(label)

    def _value_target(self, label: Label) -> float:
        is_number = isinstance(label, int | float) and not isinstance(label, bool)
        if not is_number or not math.isfinite(label):  # type: ignore[arg-type]  # a number by then
            raise InvalidInput(f"labels.{self.name}", f"must be a finite number, not {label!r:.60}")
        value = float(label)  # type: ignore[arg-type]  # likewise
        low = 0.0 if self.transform == "log" else -math.inf
        low = low if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= value <= high or (self.transform == "log" and value <= 0):
            raise InvalidInput(
                f"labels.{self.name}", f"must be from {low:g} to {high:g}, not {value:g}"
            )
        return math.log(value) if self.transform == "log" else value

    def to_value(self, targets: FloatArray) -> FloatArray:
        """Return learnt numbers as values in the task's unit, inside its bounds."""
        values = np.exp(targets) if self.transform == "log" else targets
        return np.clip(values, self.minimum, self.maximum)

    def to_json(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return asdict(self) | {"type": self.type.value, "classes": list(self.classes)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the task that :meth:`to_json` wrote, or that a user's configuration describes.

        Raises:
            InvalidInput: a field is unknown or missing, or the type is.
        """
        unknown = sorted(set(fields) - set(cls.__dataclass_fields__))
        if unknown:
            raise InvalidInput(f"tasks.{unknown[0]}", "is not a field of a task")
        missing = [name for name in ("name", "type") if name not in fields]
        if missing:
            raise InvalidInput(f"tasks.{missing[0]}", "is missing")
        if fields["type"] not in list(TaskType):
            raise InvalidInput("tasks.type", f"must be one of {', '.join(TaskType)}")
        kinds = {"type": TaskType(fields["type"]), "classes": tuple(fields.get("classes", ()))}
        return cls(**(dict(fields) | kinds))


MIN_SALARY_YEAR_USD = 1_000.0
MAX_SALARY_YEAR_USD = 10_000_000.0
SCAM_BASE_RATE = 0.048
"""Share of fraudulent postings in the whole of EMSCAD."""


def job_matching_tasks() -> tuple[Task, ...]:
    """Return the four questions that JobSentinel asks of a posting."""
    return (
        Task(
            "job_category",
            TaskType.CLASSIFICATION,
            classes=tuple(JOB_CATEGORIES),
            hidden=256,
            title=False,
        ),
        Task(
            "salary_prediction",
            TaskType.QUANTILE,
            transform="log",
            unit="USD a year",
            minimum=MIN_SALARY_YEAR_USD,
            maximum=MAX_SALARY_YEAR_USD,
            hidden=256,
            words="titled",
        ),
        Task("scam_detection", TaskType.BINARY, base_rate=SCAM_BASE_RATE, words="whole"),
        Task("match_quality", TaskType.REGRESSION, minimum=0.0, maximum=1.0),
    )
