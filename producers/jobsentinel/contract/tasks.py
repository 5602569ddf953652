"""The tasks of the fleet: their names on the wire, their queues, their messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jobsentinel.contract import requests, results
from jobsentinel.contract.base import Message
from jobsentinel.contract.datasets import StoreDatasetRequest
from jobsentinel.contract.loops import CheckLoopsRequest, CheckLoopsResult
from jobsentinel.contract.removals import RemovePostingsRequest, RemovePostingsResult
from jobsentinel.contract.stored_scores import ReadResultsRequest, ReadResultsResult
from jobsentinel.contract.training_requests import FineTuneRequest, TrainMultiTaskRequest

INTERACTIVE: Final = "inference.interactive"
BULK: Final = "inference.bulk"
TRAINING: Final = "training"
INFERENCE_QUEUES: Final = (INTERACTIVE, BULK)
QUEUES: Final = (INTERACTIVE, BULK, TRAINING)


@dataclass(frozen=True, slots=True)
class TaskType:
    """One kind of work: ``name`` as users say it, ``queue`` where it waits by default."""

    name: str
    queue: str
    request: type[Message]
    result: type[Message]

    @property
    def wire_name(self) -> str:
        """The Celery task name."""
        return f"jobsentinel.{self.name}"


TASKS: Final = {
    task.name: task
    for task in (
        TaskType("score", BULK, requests.ScoreRequest, results.ScoreResult),
        TaskType("index", BULK, requests.IndexRequest, results.IndexResult),
        TaskType("rerank", INTERACTIVE, requests.RerankRequest, results.RerankResult),
        TaskType("select", INTERACTIVE, requests.SelectRequest, results.SelectResult),
        TaskType("add_labels", INTERACTIVE, requests.AddLabelsRequest, results.AddLabelsResult),
        TaskType("read_results", INTERACTIVE, ReadResultsRequest, ReadResultsResult),
        TaskType("remove", INTERACTIVE, RemovePostingsRequest, RemovePostingsResult),
        TaskType("check_loops", INTERACTIVE, CheckLoopsRequest, CheckLoopsResult),
        TaskType("store_dataset", BULK, StoreDatasetRequest, results.StoreDatasetResult),
        TaskType("fine_tune", TRAINING, FineTuneRequest, results.TrainResult),
        TaskType(
            "train_multi_task",
            TRAINING,
            TrainMultiTaskRequest,
            results.TrainResult,
        ),
    )
}
