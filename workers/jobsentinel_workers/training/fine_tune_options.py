"""What a request to fine-tune means: its rows, its settings, and where it starts from."""

from __future__ import annotations

from typing import Any

from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import RELEVANCE
from jobsentinel.contract.training_requests import FineTuneRequest
from jobsentinel.settings import Settings
from jobsentinel_workers.fine_tuning import FineTuningConfig
from jobsentinel_workers.gate.own_models import MAIN_METRICS
from jobsentinel_workers.registry import ModelVersion
from jobsentinel_workers.store import Database
from jobsentinel_workers.training.material import Material, Source


def fine_tune_material(
    database: Database, request: FineTuneRequest, champion: ModelVersion | None
) -> Material:
    """Return the rows that ``request`` means.

    Raises:
        InvalidInput: the model that serves under this name is of another kind; there is no such
            dataset, or labels are too few.
    """
    if champion is not None and champion.kind != request.task:
        problem = f"is {request.task}, but {request.name!r} serves as {champion.kind}"
        raise InvalidInput("task", f"{problem}; choose another name")
    if request.rows is not None:
        return Material([dump(row) for row in request.rows])
    source = Source(database, request.task, _label_kind(request), champion, request.seed)
    return source.find(request.dataset or "labels:all")


def _label_kind(request: FineTuneRequest) -> str:
    """Return the kind of stored labels that a training reads.

    Raises:
        InvalidInput: feedback on searches is for rerankers, and rerankers learn from nothing else.
    """
    if request.task == "reranker":
        # The field's default stands for none.
        if request.label_kind not in {RELEVANCE, "category"}:
            raise InvalidInput("label_kind", f"must be {RELEVANCE!r} for the task reranker")
        return RELEVANCE
    if request.label_kind == RELEVANCE:
        raise InvalidInput("label_kind", f"is {RELEVANCE!r}, which trains the task reranker only")
    return request.label_kind


def config_of(request: FineTuneRequest, settings: Settings) -> FineTuningConfig:
    """Return the engine's settings.

    A reranker starts from the starter one, which stands on the packaged encoder.
    """
    path = None if request.task == "reranker" else settings.encoder_path
    return FineTuningConfig(
        task=request.task,
        method=request.method,
        epochs=request.epochs,
        batch_size=request.batch_size,
        learning_rate=request.learning_rate,
        max_tokens=request.max_tokens,
        seed=request.seed,
        base_encoder=None if path is None else str(path),
        precision=settings.precision,
        classes=request.classes,
        few_shot=request.few_shot,
        adapt=request.adapt,
        curriculum=request.curriculum,
    )


def policy_of(request: FineTuneRequest) -> dict[str, Any]:
    """Return the gate's limits: the request's, with main metrics that suit the task."""
    metrics = request.gate.get("task_metrics", {})
    return {**request.gate, "task_metrics": {**MAIN_METRICS, **metrics}}


def start_of(request: FineTuneRequest, champion: ModelVersion | None) -> ModelVersion | None:
    """Return the version that training starts from; None for the base encoder.

    Raises:
        InvalidInput: nothing serves yet.
    """
    if request.base == "encoder":
        return None
    if champion is None:
        raise InvalidInput("base", f"is champion, but no version of {request.name!r} serves")
    return champion
