"""What the training pool is asked to do."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from jobsentinel.contract import limits
from jobsentinel.contract.base import FilledText, Items, Message, ModelName, ShortText, fault
from jobsentinel.contract.task_specs import TaskSpec
from jobsentinel.contract.training_rows import (
    ROW_OF,
    ClassificationRow,
    FineTuneTask,
    MultiTaskRow,
    SimilarityRow,
    TrainingRow,
)

FineTuneMethod = Literal["head", "top2", "full", "lora"]
FineTuneAdaptation = Literal["none", "mlm", "tsdae"]
FineTuneCurriculum = Literal["none", "length", "loss"]
MultiTaskMethod = Literal["head", "top2", "full", "lora"]
MultiTaskPooling = Literal["encoder", "mean", "cls", "title", "attention"]
DatasetReference = Annotated[str, Field(pattern=r"^(labels:(all|new)|[0-9a-f]{64})$")]
"""The SHA-256 of a stored dataset; or the stored labels, all or those since the last training."""

_Class = Annotated[ShortText, Field(min_length=1)]
_Classes = Field(min_length=2, max_length=limits.MAX_CLASSES)
_Unlabelled = Field(max_length=limits.MAX_TRAINING_ROWS)
_Rows = Field(min_length=limits.MIN_TRAINING_ROWS, max_length=limits.MAX_TRAINING_ROWS)


class _Training(Message):
    """Options of every training; None is the default of the method chosen."""

    epochs: Annotated[int, Field(ge=1, le=1_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=1_024)] | None = None
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    promote: bool = True
    """Put the new version into service if the gate lets it pass; False only registers it."""
    gate: dict[str, Any] = Field(default_factory=dict)
    """Limits of the gate that are to differ from its defaults, such as ``min_rows``."""
    dataset: DatasetReference | None = None
    """What to learn from in the place of ``rows``."""


class FineTuneRequest(_Training):
    """Train a model of the user's own on labelled rows, all of the kind that the task needs."""

    name: ModelName
    task: FineTuneTask
    rows: Annotated[Items[TrainingRow], _Rows] | None = None
    base: Literal["encoder", "champion"] = "encoder"
    """What training starts from: the base encoder, or the version in service under this name."""
    label_kind: Annotated[str, Field(min_length=1, max_length=64)] = "category"
    """Of the stored labels, those to learn from where ``dataset`` says labels."""
    method: FineTuneMethod = "head"
    max_tokens: Annotated[int, Field(ge=8, le=512)] = 128
    classes: Annotated[Items[_Class], _Classes] | None = None
    """All labels there may be, in their order; None takes those of the rows."""
    few_shot: bool = False
    """Move the encoder by pairs of the rows first: for a few rows of each class."""
    adapt: FineTuneAdaptation = "none"
    """How the encoder learns from ``unlabelled`` before its task."""
    unlabelled: Annotated[Items[FilledText], _Unlabelled] = ()
    curriculum: FineTuneCurriculum = "none"
    """What the first epoch is sorted by, easy rows first."""

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        if self.task != "classification" and (self.few_shot or self.classes is not None):
            field = "few_shot" if self.few_shot else "classes"
            raise fault(field, f"is for the task classification, not {self.task}")
        if self.few_shot and self.method != "head":
            raise fault("few_shot", "needs the method head: pairs move the encoder before")
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise fault("classes", "must not name one twice")
        if (self.adapt == "none") != (not self.unlabelled):
            raise fault("unlabelled", "texts and adapt (mlm or tsdae) need each other")
        if self.task == "reranker":
            self._check_reranker()
        return self

    def _check_reranker(self) -> None:
        if self.method in {"top2", "full"}:
            raise fault(
                "method", "must be head or lora: a reranker is low-rank changes to its base encoder"
            )
        if self.adapt != "none":
            raise fault("adapt", "must be none: a reranker stands on its base encoder")
        if self.curriculum == "loss":
            raise fault("curriculum", "must be none or length for the task reranker")

    @model_validator(mode="after")
    def _rows_fit_task(self) -> Self:
        if (self.rows is None) == (self.dataset is None):
            raise fault("rows", "or dataset must be given, and not both")
        if self.rows is None:
            return self
        row = ROW_OF[self.task]
        for position, found in enumerate(self.rows):
            if isinstance(found, row):
                continue
            wanted = ", ".join(row.model_fields)
            raise fault(f"rows.{position}", f"must have the fields {wanted} for a {self.task} task")
        if self.task == "classification":
            _require_classes({r.label for r in self.rows if isinstance(r, ClassificationRow)})
        if self.task == "similarity":
            pairs = [found for found in self.rows if isinstance(found, SimilarityRow)]
            _require_alike_pairs(pairs, self.method, self.curriculum)
        return self


def _require_classes(labels: set[str]) -> None:
    if not 2 <= len(labels) <= limits.MAX_CLASSES:
        problem = (
            f"hold {len(labels)} distinct label(s); a classifier needs 2 to {limits.MAX_CLASSES:,}"
        )
        raise fault("rows", problem)


def _require_alike_pairs(pairs: list[SimilarityRow], method: str, curriculum: str) -> None:
    """All pairs have a score or none has; without scores, the encoder itself must learn."""
    scored = pairs[0].score is not None
    for position, pair in enumerate(pairs):
        if (pair.score is not None) != scored:
            has = "none, but rows.0 has one" if scored else "one, but rows.0 has none"
            problem = f"has {has}; give all pairs a score, or none"
            raise fault(f"rows.{position}.score", problem)
    if not scored and method == "head":
        raise fault("method", "must be top2, full or lora for pairs without scores")
    if not scored and curriculum != "none":
        raise fault("curriculum", "must be none for pairs without scores: batches are mixed")


class TrainMultiTaskRequest(_Training):
    """Train the scoring model's heads on the rows given, or with None on the stored labels."""

    name: ModelName = "multi-task"
    rows: Annotated[Items[MultiTaskRow], _Rows] | None = None
    tasks: Items[TaskSpec] = ()
    """Questions of the user's own, added to the model if it does not have them yet."""
    method: MultiTaskMethod = "head"
    weighting: Literal["equal", "uncertainty"] = "equal"
    class_weights: Literal["sqrt", "balanced", "none"] = "sqrt"
    pooling: MultiTaskPooling = "encoder"
    """What heads read of a text; ``encoder`` is what the model's heads read already."""
    accumulate: Annotated[int, Field(ge=1, le=1_024)] = 1
    compare: bool = True
    """Also train each task by itself, to tell what learning together does to it."""

    @model_validator(mode="after")
    def _tasks_and_weighting_fit(self) -> Self:
        if self.rows is not None and self.dataset is not None:
            raise fault("dataset", "must not be given beside rows")
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise fault("tasks", "must not have two of one name")
        if self.method == "head" and self.weighting != "equal":
            raise fault("weighting", "must be equal for the method head, whose tasks share nothing")
        if self.method == "head" and self.pooling == "attention":
            raise fault(
                "pooling", "must not be attention for the method head, which trains no query"
            )
        return self
