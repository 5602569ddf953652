"""What a loop trains: from its options to the request that the training pool gets.

Without options, a loop of the scoring model trains its heads anew, and any other model is
fine-tuned. New labels are learnt beside older ones that are replayed where the version in service
learnt from labels before, and where they are enough for a training; else all labels are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator
from sqlalchemy import Connection

from jobsentinel.contract.base import Message, fault
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import RELEVANCE
from jobsentinel.contract.limits import MIN_TRAINING_ROWS
from jobsentinel.contract.tasks import TASKS
from jobsentinel_workers.loop.label_counts import are_numbers, count_labels
from jobsentinel_workers.models_in_service import RERANKER, SCORING
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.store.loops import Loop

FINE_TUNE: Final = "fine_tune"
TRAIN_MULTI_TASK: Final = "train_multi_task"
_TASKS_OF_KINDS: Final = {
    "category": "classification",
    "scam": "classification",
    "salary": "regression",
    "match": "regression",
    RELEVANCE: RERANKER,
}
_KIND: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_RESERVED: Final = frozenset(("name", "rows", "dataset", "label_kind"))


class Training(Message):
    """The training of a loop, as the store has it."""

    task: Literal["fine_tune", "train_multi_task"]
    dataset: Literal["auto", "labels:new", "labels:all"] = "auto"
    options: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Further fields of the request, such as ``method``, ``epochs`` or ``gate``."""

    @model_validator(mode="after")
    def _options_are_free(self) -> Self:
        if taken := sorted(_RESERVED & self.options.keys()):
            raise fault(f"options.{taken[0]}", "is set by the loop")
        return self


def check_training(kind: str, model: str, training: Mapping[str, Any] | None = None) -> Training:
    """Return the training of a loop, with what is not given as above.

    Raises:
        InvalidInput: the training pool would refuse it.
    """
    if not _KIND.fullmatch(kind):
        raise InvalidInput("kind", "must be a lower-case letter, then up to 63 of a-z 0-9 _ -")
    fits = TRAIN_MULTI_TASK if model == SCORING else FINE_TUNE
    checked = Training.parse({"task": fits, **(training or {})})
    if checked.task != fits:
        raise InvalidInput("training.task", f"must be {fits} for the model {model!r}")
    if checked.task == FINE_TUNE and (kind == RELEVANCE) != (model == RERANKER):
        raise InvalidInput(
            "model", f"must be {RERANKER!r} for labels of {RELEVANCE}, for no others"
        )
    task = _TASKS_OF_KINDS.get(kind, "classification")
    _parse(checked.task, _request(checked, kind, model, "labels:all", task=task))
    return checked


def request_for(
    connection: Connection, loop: Loop, champion: ModelVersion | None
) -> tuple[str, dict[str, Any]]:
    """Return task and request of a loop's next training.

    Raises:
        InvalidInput: the loop's options do not fit what the labels are.
    """
    training = Training.parse(loop.training)
    task = _task(connection, loop.kind, champion)
    dataset = _dataset(connection, training, loop.kind, champion)
    base = "encoder" if champion is None else "champion"
    if training.task == TRAIN_MULTI_TASK and champion is not None:
        _require_question(training, loop.kind, champion)
    request = _request(training, loop.kind, loop.model, dataset, task=task, base=base)
    _parse(training.task, request)
    return training.task, request


def _request(
    training: Training, kind: str, model: str, dataset: str, *, task: str, base: str = "encoder"
) -> dict[str, Any]:
    if training.task == TRAIN_MULTI_TASK:
        return {**training.options, "name": model, "dataset": dataset}
    chosen = {"task": task, "base": base, **training.options}
    return {**chosen, "name": model, "label_kind": kind, "dataset": dataset}


def _require_question(training: Training, kind: str, champion: ModelVersion) -> None:
    """Refuse a kind that is no question of the scoring model, which would leave its labels out."""
    from jobsentinel_workers.multi_task.storage import read_config  # torch

    known = {task["name"] for task in read_config(champion.path)["tasks"]}
    added = {task.get("name") for task in training.options.get("tasks", ())}
    if kind not in _TASKS_OF_KINDS.keys() | known | added:
        problem = f"is {kind!r}, which is no question of {champion.name!r}"
        raise InvalidInput("kind", f"{problem}; add it by the option tasks")


def _parse(task: str, request: Mapping[str, Any]) -> None:
    TASKS[task].request.parse(request, at="training")


def _task(connection: Connection, kind: str, champion: ModelVersion | None) -> str:
    if champion is not None:
        return champion.kind
    if kind in _TASKS_OF_KINDS:
        return _TASKS_OF_KINDS[kind]
    return "regression" if are_numbers(connection, kind) else "classification"


def _dataset(
    connection: Connection, training: Training, kind: str, champion: ModelVersion | None
) -> str:
    if training.dataset != "auto":
        return training.dataset
    learnt = None if champion is None else champion.lineage.get("last_label_seq")
    if learnt is None or count_labels(connection, kind, learnt).new < MIN_TRAINING_ROWS:
        return "labels:all"
    return "labels:new"
