"""Questions of the user's own that the scoring model learns beside its four."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from jobsentinel.contract import limits
from jobsentinel.contract.base import Items, Message, ShortText, fault

TaskKind = Literal["classification", "multilabel", "binary", "regression", "quantile"]
TaskLoss = Literal[
    "cross_entropy", "binary_cross_entropy", "huber", "absolute", "squared", "pinball"
]
TaskLabel = bool | float | ShortText | Annotated[Items[ShortText], Field(min_length=1)]

BUILT_IN_TASKS = ("job_category", "salary_prediction", "scam_detection", "match_quality")
LOSSES_OF: dict[TaskKind, tuple[TaskLoss, ...]] = {
    "classification": ("cross_entropy",),
    "multilabel": ("binary_cross_entropy",),
    "binary": ("binary_cross_entropy",),
    "regression": ("huber", "absolute", "squared"),
    "quantile": ("pinball",),
}
"""What each kind can learn by; the first is its default."""

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class TaskSpec(Message):
    """One question: ``company_size`` with its classes, say, or ``years_required`` as a number.

    A ``quantile`` task gives a number with an interval as wide as the text leaves it open, a
    ``regression`` one with the same interval everywhere. ``words`` adds a linear model over the
    words of the text: ``whole``, or ``titled`` with the title's words by themselves too.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    type: TaskKind
    classes: Annotated[Items[ShortText], Field(max_length=limits.MAX_CLASSES)] = ()
    transform: Literal["identity", "log"] = "identity"
    loss: TaskLoss | None = None
    unit: ShortText = ""
    minimum: float | None = None
    maximum: float | None = None
    base_rate: Share | None = None
    precision: Share | None = None
    hidden: Annotated[int, Field(ge=0, le=4_096)] = 0
    title: bool = True
    words: Literal["none", "whole", "titled"] = "none"
    weight: Annotated[float, Field(gt=0.0, le=1_000.0)] = 1.0

    @model_validator(mode="after")
    def _fields_fit_the_type(self) -> Self:
        if self.name in BUILT_IN_TASKS:
            raise fault("name", f"{self.name!r} is built in; choose another")
        has_classes = self.type in {"classification", "multilabel"}
        if has_classes != (len(set(self.classes)) >= 2) or len(set(self.classes)) < len(
            self.classes
        ):
            wanted = "two or more different ones" if has_classes else "none"
            raise fault("classes", f"must be {wanted} for the type {self.type}")
        if self.loss is not None and self.loss not in LOSSES_OF[self.type]:
            raise fault("loss", f"must be one of {', '.join(LOSSES_OF[self.type])}")
        self._check_numbers()
        return self

    def _check_numbers(self) -> None:
        has_values = self.type in {"regression", "quantile"}
        if self.transform == "log" and not has_values:
            raise fault("transform", "log is for regression and quantile only")
        if self.type != "binary" and (self.base_rate is not None or self.precision is not None):
            raise fault("base_rate", "and precision are for the type binary only")
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and low >= high:
            raise fault("minimum", f"must lie below the maximum ({low:g} and {high:g})")
