"""What the scoring model learns from: rows that were sent, or labels of the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MIN_TRAINING_ROWS
from jobsentinel.contract.training_requests import TrainMultiTaskRequest
from jobsentinel.contract.training_rows import MultiTaskRow
from jobsentinel_workers.multi_task import MultiTaskExample
from jobsentinel_workers.store import Database, labels

TASK_OF_LABEL: Final = {
    "category": "job_category",
    "salary": "salary_prediction",
    "scam": "scam_detection",
    "match": "match_quality",
}
"""Which task a kind of label answers; other kinds answer the task of their own name."""


def multi_task_rows(
    database: Database, request: TrainMultiTaskRequest, tasks: Iterable[str]
) -> list[MultiTaskExample]:
    """Return the rows that ``request`` means.

    Raises:
        InvalidInput: the store has too few labels.
    """
    if request.rows is not None:
        return [_example(row) for row in request.rows]
    examples = _stored(database, tasks)
    if len(examples) < MIN_TRAINING_ROWS:
        raise InvalidInput(
            "rows",
            f"are absent and the store has {len(examples)} labelled postings; "
            f"at least {MIN_TRAINING_ROWS} are needed",
        )
    return examples


def _stored(database: Database, tasks: Iterable[str]) -> list[MultiTaskExample]:
    known: dict[str, dict[str, Any]] = {}
    kinds = {**TASK_OF_LABEL, **{task: task for task in tasks}}
    with database.connect() as connection:
        for kind, task in kinds.items():
            for label in labels.training_texts(connection, kind):
                known.setdefault(label.text, {})[task] = label.value
    return [MultiTaskExample(text, answers) for text, answers in known.items()]


def _example(row: MultiTaskRow) -> MultiTaskExample:
    answers = {
        "job_category": row.category,
        "salary_prediction": row.salary_year_usd,
        "scam_detection": row.scam,
        "match_quality": row.match,
        **row.labels,
    }
    return MultiTaskExample(row.text, answers)
