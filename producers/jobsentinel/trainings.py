"""What a producer sends to train models: trainings, and the datasets that these name."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobsentinel.contract.base import Message
from jobsentinel.contract.results import StoreDatasetResult, TrainResult
from jobsentinel.contract.training_requests import FineTuneRequest, TrainMultiTaskRequest
from jobsentinel.dispatch import Dispatch
from jobsentinel.handles import JobHandle

if TYPE_CHECKING:
    from jobsentinel.contract.datasets import DatasetTask
    from jobsentinel.dataset_sending import DatasetReceipt, OnProgress

Rows = Iterable[Mapping[str, Any] | Message]


class Trainings:
    """The calls of these names of `Producer`, where arguments and errors are described."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def fine_tune(
        self, name: str, rows: Rows | None, key: str | None, options: Mapping[str, Any]
    ) -> JobHandle[TrainResult]:
        """Send the training of a model of the user's own."""
        request = FineTuneRequest.parse({"name": name, "rows": _given(rows), **options})
        return self._dispatch.send("fine_tune", request, TrainResult, key=key)

    def train_multi_task(
        self, rows: Rows | None, key: str | None, options: Mapping[str, Any]
    ) -> JobHandle[TrainResult]:
        """Send a training of the scoring model."""
        request = TrainMultiTaskRequest.parse({"rows": _given(rows), **options})
        return self._dispatch.send("train_multi_task", request, TrainResult, key=key)

    def send_dataset(
        self,
        source: str | Path | Iterable[Mapping[str, Any]],
        task: DatasetTask,
        name: str | None,
        *,
        chunk_rows: int,
        wait: Callable[[JobHandle[Any]], Any],
        on_progress: OnProgress | None,
    ) -> DatasetReceipt:
        """Send a dataset and return once the store has all of it."""
        from jobsentinel.dataset_files import source_of
        from jobsentinel.dataset_sending import Upload

        hears = on_progress or (lambda stored, total: None)
        rows = source_of(source)
        return Upload(rows, task, name, chunk_rows, self._store, wait, hears).run()

    def _store(self, request: Message) -> JobHandle[StoreDatasetResult]:
        # What the store lacks changes, so no request is ever the same job as an earlier one.
        key = uuid.uuid4().hex
        return self._dispatch.send("store_dataset", request, StoreDatasetResult, key=key)


def _given(rows: Rows | None) -> tuple[Mapping[str, Any] | Message, ...] | None:
    return None if rows is None else tuple(rows)
