"""The long pool's work: train, register, promote; inference notices the new version by itself."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from jobsentinel.contract import results
from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MIN_TRAINING_ROWS
from jobsentinel.contract.training_requests import FineTuneRequest, TrainMultiTaskRequest
from jobsentinel.contract.training_rows import MultiTaskRow
from jobsentinel.ledger import Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.audit import Event
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    FineTuningTrainer,
    JobMatchingDataset,
    TrainingInterrupted,
    TrainingMetrics,
)
from jobsentinel_workers.inference.handlers import limit_threads
from jobsentinel_workers.jobs.context import Answer, JobContext, expect
from jobsentinel_workers.jobs.lifecycle import Handler
from jobsentinel_workers.models_in_service import BUILTIN_MODELS, models_generation, open_registry
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskTrainer,
    Task,
    TrainingStopped,
)
from jobsentinel_workers.multi_task.assessment.table import to_table
from jobsentinel_workers.multi_task.evaluated_training import train_and_evaluate
from jobsentinel_workers.multi_task.run_control import OnProgress
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.store import Database, labels, runs
from jobsentinel_workers.training.run_control import TrainingRun

_TASK_OF_LABEL = {
    "category": "job_category",
    "salary": "salary_prediction",
    "scam": "scam_detection",
    "match": "match_quality",
}
_LIBRARIES = ("torch", "transformers", "numpy", "jobsentinel-ml")


def training_handlers(
    settings: Settings, database: Database, ledger: Ledger
) -> Mapping[str, Handler]:
    """Return the handlers of a training process."""
    limit_threads(settings)
    handlers = TrainingHandlers(settings, database, ledger)
    return {"fine_tune": handlers.fine_tune, "train_multi_task": handlers.train_multi_task}


@dataclass(frozen=True, slots=True)
class _Trained:
    """What a trainer leaves: how to save the model, and how good it is."""

    kind: str
    save: Callable[[Path], object]
    metrics: dict[str, float]
    lineage: dict[str, str]
    report: str = ""


class TrainingHandlers:
    """What the handlers of one process share."""

    def __init__(self, settings: Settings, database: Database, ledger: Ledger) -> None:
        self._settings = settings
        self._database = database
        self._ledger = ledger
        self._registry: ModelRegistry = open_registry(settings)

    def fine_tune(self, message: Message, context: JobContext) -> Answer:
        """Train a classifier, a regressor or a similarity model on the rows sent."""
        request = expect(message, FineTuneRequest)
        if request.name in BUILTIN_MODELS:
            raise InvalidInput("name", f"{request.name!r} is built in; choose another")
        return self._train("fine_tune", request, context, self._fine_tune)

    def train_multi_task(self, message: Message, context: JobContext) -> Answer:
        """Train the scoring model on the rows sent, or on the labels in the store."""
        request = expect(message, TrainMultiTaskRequest)
        return self._train("train_multi_task", request, context, self._train_multi_task)

    def _train(
        self,
        task: str,
        request: Any,
        context: JobContext,
        train: Callable[[Any, TrainingRun], _Trained],
    ) -> Answer:
        earlier = self._earlier_result(context.job_id)
        if earlier is not None:
            return Answer(earlier)
        started = time.monotonic()
        with TrainingRun(self._settings, self._database, context).open(task, request) as run:
            try:
                trained = train(request, run)
            except (TrainingInterrupted, TrainingStopped):
                run.stopped()
                raise
            context.check()
            version = self._register(request, run, trained)
        result = results.TrainResult(
            run_id=run.run_id,
            model=request.name,
            version=version,
            promoted=request.promote,
            metrics=trained.metrics,
            seconds=time.monotonic() - started,
            report=trained.report,
        )

        def store(connection: Connection) -> None:
            runs.finish(
                connection,
                run.run_id,
                "done",
                metrics=trained.metrics,
                model_name=request.name,
                model_version=version,
                fencing_token=context.claim.token,
            )
            made = {"task": task, "model": request.name, "version": version}
            made["data_sha256"] = trained.lineage["data_sha256"]
            run.audit.record(connection, "run_finished", run.run_id, made)

        return Answer(result, store)

    def _earlier_result(self, run_id: str) -> Message | None:
        """Return what this very run gave when it was done before and the ledger forgot it."""
        with self._database.connect() as connection:
            run = runs.get(connection, run_id)
        if run is None or run.state != "done" or not run.model_name or not run.model_version:
            return None
        return results.TrainResult(
            run_id=run_id,
            model=run.model_name,
            version=run.model_version,
            promoted=bool(run.config.get("promote")),
            metrics=run.metrics,
            seconds=0.0,
        )

    def _register(self, request: Any, run: TrainingRun, trained: _Trained) -> int:
        """Register once a run, whatever the attempt, and put the version into service."""
        staging = run.folder / "model"
        shutil.rmtree(staging, ignore_errors=True)
        trained.save(staging)
        version = self._registry.register(
            request.name,
            staging,
            kind=trained.kind,
            metrics=trained.metrics,
            lineage={
                "run_id": run.run_id,
                **trained.lineage,
                "seed": request.seed,
                "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
            },
            run_id=run.run_id,
        )
        about = {"version": version.version, "run_id": run.run_id}
        data = {"data_sha256": trained.lineage["data_sha256"]}
        self._record(run, "model_registered", request.name, {**about, **data})
        shutil.rmtree(run.folder, ignore_errors=True)
        if request.promote:
            self._registry.promote(request.name, version.version)
            self._record(run, "model_promoted", request.name, about)
            self._ledger.publish_models_generation(models_generation(self._registry))
        return version.version

    def _record(self, run: TrainingRun, event: Event, model: str, details: dict[str, Any]) -> None:
        with self._database.begin() as connection:
            run.audit.record(connection, event, model, details)

    def _fine_tune(self, request: FineTuneRequest, run: TrainingRun) -> _Trained:
        encoder_path = self._settings.encoder_path
        config = FineTuningConfig(
            task=request.task,
            method=request.method,
            epochs=request.epochs,
            batch_size=request.batch_size,
            learning_rate=request.learning_rate,
            max_tokens=request.max_tokens,
            seed=request.seed,
            base_encoder=None if encoder_path is None else str(encoder_path),
            precision=self._settings.precision,
        )
        rows = [row.model_dump() for row in request.rows or ()]
        dataset = JobMatchingDataset.from_rows(rows, request.task)
        model = FineTunedBERT(config)
        trainer = FineTuningTrainer(
            model,
            config,
            run_directory=run.folder,
            on_progress=run.reporter(asdict),
            should_stop=run.should_stop,
        )
        lineage = {"base": model.encoder.model_id, "data_sha256": dataset.sha256}
        return _Trained(request.task, model.save, _flat(trainer.train(dataset)), lineage)

    def _train_multi_task(self, request: TrainMultiTaskRequest, run: TrainingRun) -> _Trained:
        current = self._registry.get(request.name)
        tasks = [Task.from_json(dump(spec)) for spec in request.tasks]

        def make_model() -> MultiTaskBERT:
            model = MultiTaskBERT.load(current.path, precision=self._settings.precision)
            for task in tasks:
                model.add_task(task)
            return model.with_pooling(request.pooling)

        def make_trainer(
            model: MultiTaskBERT, folder: Path | None, on_progress: OnProgress
        ) -> MultiTaskTrainer:
            return MultiTaskTrainer(
                model,
                request.method,
                epochs=request.epochs,
                batch_size=request.batch_size,
                learning_rate=request.learning_rate,
                seed=request.seed,
                weighting=request.weighting,
                class_weights=request.class_weights,
                accumulate=request.accumulate,
                precision=self._settings.precision,
                run_directory=folder,
                on_progress=on_progress,
                should_stop=run.should_stop,
            )

        examples = self._examples(request, [task.name for task in make_model().tasks.values()])
        trained = train_and_evaluate(
            make_model,
            make_trainer,
            examples,
            name=request.name,
            date=datetime.now(UTC).date().isoformat(),
            seed=request.seed,
            single_tasks=request.compare,
            folder=run.folder,
            on_progress=run.reporter(dict),
        )

        def save(folder: Path) -> None:
            from jobsentinel_workers.multi_task.assessment.report import write_report

            trained.model.save(folder)
            write_report(trained.evaluation, trained.judged, folder)

        lineage = {
            "base": f"{current.name}@{current.version}",
            "data_sha256": _digest(examples),
            "method": request.method,
        }
        return _Trained("multi-task", save, trained.metrics, lineage, to_table(trained.evaluation))

    def _examples(
        self, request: TrainMultiTaskRequest, tasks: Sequence[str]
    ) -> list[MultiTaskExample]:
        if request.rows is not None:
            return [_example(row) for row in request.rows or ()]
        examples = self._stored_examples(tasks)
        if len(examples) < MIN_TRAINING_ROWS:
            raise InvalidInput(
                "rows",
                f"are absent and the store has {len(examples)} labelled postings; "
                f"at least {MIN_TRAINING_ROWS} are needed",
            )
        return examples

    def _stored_examples(self, tasks: Sequence[str]) -> list[MultiTaskExample]:
        """Return labelled texts; labels of a kind that is a task's name answer that task."""
        known: dict[str, dict[str, Any]] = {}
        kinds = {**_TASK_OF_LABEL, **{task: task for task in tasks}}
        with self._database.connect() as connection:
            for kind, task in kinds.items():
                for label in labels.training_texts(connection, kind):
                    known.setdefault(label.text, {})[task] = label.value
        return [MultiTaskExample(text, answers) for text, answers in known.items()]


def _digest(examples: list[MultiTaskExample]) -> str:
    rows = [[example.text, dict(example.labels)] for example in examples]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def _flat(metrics: TrainingMetrics) -> dict[str, float]:
    """Return the defined metrics by name, those of the simplest alternative as ``baseline_...``."""
    named = {**metrics.validation, **{f"baseline_{k}": v for k, v in metrics.baseline.items()}}
    return {name: value for name, value in named.items() if value is not None}


def _example(row: MultiTaskRow) -> MultiTaskExample:
    answers = {
        "job_category": row.category,
        "salary_prediction": row.salary_year_usd,
        "scam_detection": row.scam,
        "match_quality": row.match,
        **row.labels,
    }
    return MultiTaskExample(row.text, answers)
