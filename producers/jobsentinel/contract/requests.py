"""What the fleet is asked to do: one request class a task."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from jobsentinel.contract import limits
from jobsentinel.contract.base import (
    FilledText,
    Items,
    Message,
    ModelName,
    ShortText,
    fault,
    first_duplicate,
)
from jobsentinel.contract.postings import Candidate, Label, Posting, Sample, label_problem
from jobsentinel.contract.task_specs import TaskLabel, TaskSpec

Strategy = Literal["uncertainty", "margin", "entropy", "diversity", "hybrid", "random"]
FineTuneTask = Literal["classification", "regression", "similarity"]
FineTuneMethod = Literal["head", "top2", "full"]
MultiTaskMethod = Literal["head", "top2", "full", "lora"]
MultiTaskPooling = Literal["encoder", "mean", "cls", "title", "attention"]


def _require_unique(ids: list[str], field: str) -> None:
    duplicate = first_duplicate(ids)
    if duplicate:
        raise fault(f"{field}.{duplicate[0]}.id", f"repeats {duplicate[1]!r}; ids must be unique")


class _Postings(Message):
    postings: Annotated[
        Items[Posting], Field(min_length=1, max_length=limits.MAX_POSTINGS_A_MESSAGE)
    ]

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        _require_unique([posting.id for posting in self.postings], "postings")
        return self


class ScoreRequest(_Postings):
    """Score postings with one or more models; with a profile, how well each matches it."""

    profile: FilledText | None = None
    models: Annotated[
        Items[ModelName], Field(min_length=1, max_length=limits.MAX_MODELS_A_REQUEST)
    ] = ("multi-task",)


class IndexRequest(_Postings):
    """Store postings and their embeddings, so that they can be ranked without being sent again."""


class RerankRequest(Message):
    """Rank candidates, or with None all indexed postings, for a query such as a résumé."""

    query: FilledText
    candidates: Annotated[Items[Candidate], Field(max_length=limits.MAX_CANDIDATES)] | None = None
    initial_top_k: Annotated[int, Field(ge=1, le=limits.MAX_CANDIDATES)] = 100
    final_top_k: Annotated[int, Field(ge=1, le=limits.MAX_CANDIDATES)] = 20
    bi_encoder: ModelName | None = None
    """A fine-tuned similarity model for the first stage; None is the base encoder."""

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        _require_unique([candidate.id for candidate in self.candidates or ()], "candidates")
        return self


class SelectRequest(Message):
    """Choose the samples whose labels would teach a model most."""

    samples: Annotated[Items[Sample], Field(max_length=limits.MAX_SAMPLES)]
    strategy: Strategy = "hybrid"
    num_samples: Annotated[int, Field(ge=1, le=limits.MAX_SAMPLES)] = 10
    model: ModelName = "multi-task"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        _require_unique([sample.id for sample in self.samples], "samples")
        return self


class AddLabelsRequest(Message):
    """Store labels; a newer one by the same annotator for the same question replaces the older."""

    labels: Annotated[Items[Label], Field(min_length=1, max_length=limits.MAX_LABELS_A_MESSAGE)]


class ClassificationRow(Message):
    """One labelled text."""

    text: FilledText
    label: Annotated[ShortText, Field(min_length=1)]


class RegressionRow(Message):
    """One text with a number to be predicted from it."""

    text: FilledText
    value: float


class SimilarityRow(Message):
    """Two texts and how alike they are, from 0 to 1."""

    text_a: FilledText
    text_b: FilledText
    score: Annotated[float, Field(ge=0.0, le=1.0)]


class MultiTaskRow(Message):
    """One text with those of the labels that are known."""

    text: FilledText
    category: str | None = None
    salary_year_usd: float | None = None
    scam: bool | None = None
    match: float | None = None
    labels: dict[str, TaskLabel] = Field(default_factory=dict)
    """Answers to further questions that the model has, by the task's name."""

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        labels = {
            "category": self.category,
            "salary": self.salary_year_usd,
            "scam": self.scam,
            "match": self.match,
        }
        known = {kind: value for kind, value in labels.items() if value is not None}
        if not known and not self.labels:
            raise fault("category", "and all other labels are absent; give one")
        for kind, value in known.items():
            if problem := label_problem(kind, value):
                raise fault("salary_year_usd" if kind == "salary" else kind, problem)
        return self


_Rows = Field(min_length=limits.MIN_TRAINING_ROWS, max_length=limits.MAX_TRAINING_ROWS)


class _Training(Message):
    """Options of every training; None is the default of the method chosen."""

    epochs: Annotated[int, Field(ge=1, le=1_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=1_024)] | None = None
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    promote: bool = True
    """Put the new version into service; False only registers it."""


def _row_kind(row: object) -> str:
    fields = row if isinstance(row, dict) else getattr(row, "__dict__", {})
    if "text_a" in fields or "text_b" in fields or "score" in fields:
        return "similarity_row"
    return "regression_row" if "value" in fields else "classification_row"


TrainingRow = Annotated[
    Annotated[ClassificationRow, Tag("classification_row")]
    | Annotated[RegressionRow, Tag("regression_row")]
    | Annotated[SimilarityRow, Tag("similarity_row")],
    Discriminator(_row_kind),
]


_ROW_OF: dict[str, type[Message]] = {
    "classification": ClassificationRow,
    "regression": RegressionRow,
    "similarity": SimilarityRow,
}


class FineTuneRequest(_Training):
    """Train a model of the user's own on labelled rows, all of the kind that the task needs."""

    name: ModelName
    task: FineTuneTask
    rows: Annotated[Items[TrainingRow], _Rows]
    method: FineTuneMethod = "head"
    max_tokens: Annotated[int, Field(ge=8, le=512)] = 128

    @model_validator(mode="after")
    def _rows_fit_task(self) -> Self:
        row = _ROW_OF[self.task]
        for position, found in enumerate(self.rows):
            if isinstance(found, row):
                continue
            wanted = ", ".join(row.model_fields)
            raise fault(f"rows.{position}", f"must have the fields {wanted} for a {self.task} task")
        if self.task == "classification":
            _require_classes({r.label for r in self.rows if isinstance(r, ClassificationRow)})
        return self


def _require_classes(labels: set[str]) -> None:
    if not 2 <= len(labels) <= limits.MAX_CLASSES:
        problem = (
            f"hold {len(labels)} distinct label(s); a classifier needs 2 to {limits.MAX_CLASSES:,}"
        )
        raise fault("rows", problem)


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
