"""Stored datasets: their rows, their ids, and the message that carries them to the store.

A dataset is rows of one task in an order. Its id is the SHA-256 of what is learnt from: that of
`JobMatchingDataset.sha256` for one task, and that of a multi-task run's ``data_sha256``, so the id
and a model's lineage are one number. How the rows were cut into chunks does not change it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from jobsentinel.contract import limits
from jobsentinel.contract.base import Items, Message, ShortText, fault, kind_of
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.text import normalise
from jobsentinel.contract.training_rows import (
    ROW_OF,
    ClassificationRow,
    MultiTaskRow,
    RegressionRow,
    RerankerRow,
    SimilarityRow,
)

DatasetTask = Literal["classification", "regression", "similarity", "reranker", "multi-task"]
DatasetId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

MULTI_TASK: Final = "multi-task"
ROW_OF_DATASET: Final[Mapping[str, type[Message]]] = MappingProxyType(
    {**ROW_OF, MULTI_TASK: MultiTaskRow}
)
TARGET_OF: Final[Mapping[str, str]] = MappingProxyType(
    {"classification": "label", "regression": "value", "similarity": "score", "reranker": "score"}
)
"""The field of a row that is learnt; a multi-task row has several."""


def parse_row(task: DatasetTask, data: object) -> Message:
    """Return the row of a ``task`` in ``data``, a mapping or a row.

    Raises:
        InvalidInput: names the field, of which nothing else is known than its place in the row.
    """
    row = ROW_OF_DATASET[task].parse(data)
    canonical(row)
    return row


def canonical(row: Message) -> list[Any]:
    """Return what is learnt from a row as JSON: its texts and what is known about them.

    Raises:
        InvalidInput: nothing is left of a text or label once markup and blanks are removed.
    """
    return _CANONICAL[type(row)](row)


def _of_classification(row: ClassificationRow) -> list[Any]:
    label = _left_of(row, "label")
    if len(label) > limits.MAX_SHORT_TEXT_CHARS:
        problem = f"must be at most {limits.MAX_SHORT_TEXT_CHARS:,} characters (has {len(label):,})"
        raise InvalidInput("label", problem)
    return [[_left_of(row, "text")], label]


def _of_regression(row: RegressionRow) -> list[Any]:
    return [[_left_of(row, "text")], row.value]


def _of_similarity(row: SimilarityRow) -> list[Any]:
    return [[_left_of(row, "text_a"), _left_of(row, "text_b")], row.score]


def _of_reranker(row: RerankerRow) -> list[Any]:
    weight = () if row.weight is None else (row.weight,)
    return [[_left_of(row, "query"), _left_of(row, "text")], row.score, *weight]


def _of_multi_task(row: MultiTaskRow) -> list[Any]:
    return [row.text, task_answers(row)]


def task_answers(row: MultiTaskRow) -> dict[str, Any]:
    """Return a row's labels by the names that the model's tasks have; None is not known."""
    return {
        "job_category": row.category,
        "salary_prediction": row.salary_year_usd,
        "scam_detection": row.scam,
        "match_quality": row.match,
        **row.labels,
    }


def _left_of(row: Message, field: str) -> str:
    left = normalise(getattr(row, field))
    if not left:
        raise InvalidInput(field, "holds nothing but markup and blanks")
    return left


_CANONICAL: Final[Mapping[type[Message], Callable[[Any], list[Any]]]] = MappingProxyType(
    {
        ClassificationRow: _of_classification,
        RegressionRow: _of_regression,
        SimilarityRow: _of_similarity,
        RerankerRow: _of_reranker,
        MultiTaskRow: _of_multi_task,
    }
)


class DatasetDigest:
    """The id of a dataset, row by row, and whether there is something to learn in it."""

    def __init__(self, task: DatasetTask) -> None:
        self.task = task
        self.rows = 0
        self._several = task == MULTI_TASK
        self._sha256 = hashlib.sha256(b"[" if self._several else task.encode())
        self._targets: set[str | float | None] = set()
        self._label_of: dict[bytes, tuple[str, int]] = {}

    def add(self, row: Message) -> None:
        """Take the next row.

        Raises:
            InvalidInput: it has no text or label, contradicts an earlier one, or there are more
                rows than a training takes.
        """
        if self.rows == limits.MAX_TRAINING_ROWS:
            problem = f"is beyond the {limits.MAX_TRAINING_ROWS:,} rows that a dataset may have"
            raise InvalidInput("row", problem)
        content = canonical(row)
        line = json.dumps(content, ensure_ascii=True, sort_keys=self._several)
        if self._several:
            # A multi-task run hashes its rows as one JSON list.
            self._sha256.update((", " if self.rows else "").encode() + line.encode())
        else:
            self._require_agreement(content)
            self._sha256.update(line.encode() + b"\n")
            self._note(content[1])
        self.rows += 1

    def _require_agreement(self, content: list[Any]) -> None:
        """Refuse two labels for one text, as trainings do; numbers may differ."""
        if self.task != "classification":
            return
        (text,), label = content
        key = hashlib.sha256(text.casefold().encode()).digest()
        other, number = self._label_of.setdefault(key, (label, self.rows + 1))
        if other != label:
            problem = f"is {label!r:.80}, but row {number:,} has the same text with {other!r:.80}"
            raise InvalidInput("label", f"{problem}; keep one of them")

    def _note(self, target: str | float | None) -> None:
        if len(self._targets) <= limits.MAX_CLASSES:
            self._targets.add(target)

    def hexdigest(self) -> str:
        """Return the id of the rows so far."""
        whole = self._sha256.copy()
        if self._several:
            whole.update(b"]")
        return whole.hexdigest()

    def check(self) -> None:
        """Look whether these rows can teach anything.

        Raises:
            InvalidInput: they are too few, all alike, or of too many classes.
        """
        if self.rows < limits.MIN_TRAINING_ROWS:
            problem = f"are {self.rows}; a training needs {limits.MIN_TRAINING_ROWS} or more"
            raise InvalidInput("rows", problem)
        if self._several:
            return
        field = TARGET_OF[self.task]
        if None in self._targets:
            self._check_pairs(field)
        elif len(self._targets) < 2:
            raise InvalidInput(f"rows.{field}", "must not be the same in all rows")
        if self.task == "classification" and len(self._targets) > limits.MAX_CLASSES:
            problem = f"has more than {limits.MAX_CLASSES:,} different ones"
            raise InvalidInput(f"rows.{field}", problem)

    def _check_pairs(self, field: str) -> None:
        """Pairs without a score are pairs that belong together, and that alone is learnt then."""
        if len(self._targets) > 1:
            raise InvalidInput(f"rows.{field}", "must be given in all rows or in none")


class StoreDatasetRequest(Message):
    """Store some rows of a dataset; without rows, say what lacks, and seal it when nothing does.

    Each request says all about its dataset, so that chunks may come in any order and twice.
    """

    sha256: DatasetId
    task: DatasetTask
    total_rows: Annotated[int, Field(ge=limits.MIN_TRAINING_ROWS, le=limits.MAX_TRAINING_ROWS)]
    name: Annotated[ShortText, Field(min_length=1)] | None = None
    first_row: Annotated[int, Field(ge=0, lt=limits.MAX_TRAINING_ROWS)] = 0
    """The place of the first of ``rows`` in the dataset, from 0."""
    rows: Annotated[Items[SerializeAsAny[Message]], Field(max_length=limits.MAX_TRAINING_ROWS)] = ()

    @field_validator("rows", mode="before")
    @classmethod
    def _are_of_the_task(cls, rows: object, info: ValidationInfo) -> tuple[Message, ...]:
        task = info.data.get("task")
        if not isinstance(rows, list | tuple):
            raise fault("", f"must be a list (found {kind_of(rows)})")
        if task is None:
            return ()  # the task's own fault is told
        return tuple(_checked(task, row, position) for position, row in enumerate(rows))

    @model_validator(mode="after")
    def _lie_in_the_dataset(self) -> Self:
        if self.first_row + len(self.rows) > self.total_rows:
            problem = f"end behind row {self.total_rows:,}, the last that the dataset is to have"
            raise fault("rows", problem)
        return self


def _checked(task: DatasetTask, row: object, position: int) -> Message:
    if isinstance(row, ROW_OF_DATASET[task]):
        return row
    try:
        return parse_row(task, row)
    except InvalidInput as error:
        raise fault(f"{position}.{error.field}", error.problem) from None
