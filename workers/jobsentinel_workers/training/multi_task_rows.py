"""What the scoring model learns from: rows that were sent, a dataset, or labels of the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from jobsentinel.contract.base import dump
from jobsentinel.contract.training_requests import TrainMultiTaskRequest
from jobsentinel_workers.multi_task import MultiTaskExample
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.store import Database
from jobsentinel_workers.training.material import Material, Source

TASK_OF_LABEL: Final = {
    "category": "job_category",
    "salary": "salary_prediction",
    "scam": "scam_detection",
    "match": "match_quality",
}
"""Which task a kind of label answers; other kinds answer the task of their own name."""
_TASK_OF_FIELD: Final = {
    "salary_year_usd" if kind == "salary" else kind: task for kind, task in TASK_OF_LABEL.items()
}


def multi_task_material(
    database: Database,
    request: TrainMultiTaskRequest,
    champion: ModelVersion,
    tasks: Iterable[str],
) -> Material:
    """Return the rows that ``request`` means; without rows and dataset, all labels of the store.

    Raises:
        InvalidInput: there is no such dataset, or the store has too few labels.
    """
    if request.rows is not None:
        return Material([dump(row) for row in request.rows])
    kinds = [*TASK_OF_LABEL, *(task for task in tasks if task not in TASK_OF_LABEL)]
    source = Source(database, "multi-task", kinds, champion, request.seed)
    return source.find(request.dataset or "labels:all")


def to_example(row: dict[str, Any]) -> MultiTaskExample:
    """Return a multi-task row, as it was sent or stored, with the tasks that its labels answer."""
    known = {task: row.get(field) for field, task in _TASK_OF_FIELD.items()}
    return MultiTaskExample(row["text"], {**known, **row.get("labels", {})})
