"""Labelled rows that models are trained on: one class for each kind of task."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from jobsentinel.contract.base import FilledText, Message, ShortText, fault
from jobsentinel.contract.postings import label_problem
from jobsentinel.contract.task_specs import TaskLabel

FineTuneTask = Literal["classification", "regression", "similarity", "reranker"]
MAX_ROW_WEIGHT: Final = 1_000.0


class ClassificationRow(Message):
    """One labelled text."""

    text: FilledText
    label: Annotated[ShortText, Field(min_length=1)]


class RegressionRow(Message):
    """One text with a number to be predicted from it."""

    text: FilledText
    value: float


class SimilarityRow(Message):
    """Two texts and how alike they are, from 0 to 1; without a score, two that belong together."""

    text_a: FilledText
    text_b: FilledText
    score: Annotated[float, Field(ge=0.0, le=1.0)] | None = None


class RerankerRow(Message):
    """A query, a text that may answer it, and how well it does, from 0 to 1."""

    query: FilledText
    text: FilledText
    score: Annotated[float, Field(ge=0.0, le=1.0)]
    weight: Annotated[float, Field(gt=0.0, le=MAX_ROW_WEIGHT)] | None = None
    """How many rows this one counts as in the loss; None is one."""


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


def _row_kind(row: object) -> str:
    fields = row if isinstance(row, dict) else getattr(row, "__dict__", {})
    if "query" in fields or {"text", "score"} <= fields.keys():
        return "reranker_row"
    if "text_a" in fields or "text_b" in fields or "score" in fields:
        return "similarity_row"
    return "regression_row" if "value" in fields else "classification_row"


TrainingRow = Annotated[
    Annotated[ClassificationRow, Tag("classification_row")]
    | Annotated[RegressionRow, Tag("regression_row")]
    | Annotated[SimilarityRow, Tag("similarity_row")]
    | Annotated[RerankerRow, Tag("reranker_row")],
    Discriminator(_row_kind),
]


ROW_OF: Final[dict[str, type[Message]]] = {
    "classification": ClassificationRow,
    "regression": RegressionRow,
    "similarity": SimilarityRow,
    "reranker": RerankerRow,
}
