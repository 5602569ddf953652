"""The long pool's work: train, judge, register, promote; inference notices by itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from jobsentinel.contract import results
from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.training_requests import FineTuneRequest, TrainMultiTaskRequest
from jobsentinel.ledger import Ledger
from jobsentinel.settings import Settings
from jobsentinel_workers.audit import Event
from jobsentinel_workers.fine_tuning import (
    JobMatchingDataset,
    TrainingInterrupted,
)
from jobsentinel_workers.gate import GatePolicy
from jobsentinel_workers.inference.handlers import limit_threads
from jobsentinel_workers.jobs.context import Answer, JobContext, expect
from jobsentinel_workers.jobs.lifecycle import Handler
from jobsentinel_workers.models_in_service import (
    RERANKER,
    SCORING,
    models_generation,
    open_registry,
)
from jobsentinel_workers.multi_task import TrainingStopped
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.store import Database, runs
from jobsentinel_workers.training.fine_tune_job import FineTuneJob
from jobsentinel_workers.training.fine_tune_options import (
    config_of,
    fine_tune_material,
    policy_of,
    start_of,
)
from jobsentinel_workers.training.multi_task_job import MultiTaskJob, tasks_of
from jobsentinel_workers.training.multi_task_rows import multi_task_material, to_example
from jobsentinel_workers.training.registering import (
    Request,
    champion_of,
    judged_before,
    register,
    verdict_of,
)
from jobsentinel_workers.training.run_control import TrainingRun
from jobsentinel_workers.training.trained import Outcome, Trained

Train = Callable[[Any, TrainingRun], Trained]


def training_handlers(
    settings: Settings, database: Database, ledger: Ledger
) -> Mapping[str, Handler]:
    """Return the handlers of a training process."""
    limit_threads(settings)
    handlers = TrainingHandlers(settings, database, ledger)
    return {"fine_tune": handlers.fine_tune, "train_multi_task": handlers.train_multi_task}


class TrainingHandlers:
    """What the handlers of one process share."""

    def __init__(self, settings: Settings, database: Database, ledger: Ledger) -> None:
        self._settings = settings
        self._database = database
        self._ledger = ledger
        self._registry: ModelRegistry = open_registry(settings)

    def fine_tune(self, message: Message, context: JobContext) -> Answer:
        """Train a model of the user's own on the rows sent."""
        request = expect(message, FineTuneRequest)
        if (request.name == RERANKER) != (request.task == RERANKER):
            problem = f"must be {RERANKER!r} for the task {RERANKER}, and for no other"
            raise InvalidInput("name", problem)
        if request.name == SCORING:
            raise InvalidInput("name", f"{request.name!r} is built in; choose another")
        return self._train("fine_tune", request, context, self._fine_tune)

    def train_multi_task(self, message: Message, context: JobContext) -> Answer:
        """Train the scoring model on the rows sent, or on the labels in the store."""
        request = expect(message, TrainMultiTaskRequest)
        return self._train("train_multi_task", request, context, self._train_multi_task)

    def _train(self, task: str, request: Request, context: JobContext, train: Train) -> Answer:
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
            outcome = self._register(request, run, trained)
        result = results.TrainResult(
            run_id=run.run_id,
            model=request.name,
            version=outcome.version,
            promoted=outcome.promoted,
            metrics=trained.metrics,
            seconds=time.monotonic() - started,
            report=_report(trained, outcome),
        )

        def store(connection: Connection) -> None:
            runs.finish(
                connection,
                run.run_id,
                "done",
                metrics=trained.metrics,
                model_name=request.name,
                model_version=outcome.version,
                fencing_token=context.claim.token,
            )
            made = {"task": task, "model": request.name, "version": outcome.version}
            made["data_sha256"] = trained.lineage["data_sha256"]
            run.audit.record(connection, "run_finished", run.run_id, made)

        return Answer(result, store)

    def _earlier_result(self, run_id: str) -> Message | None:
        """Return what this very run gave when it was done before and the ledger forgot it."""
        with self._database.connect() as connection:
            run = runs.get(connection, run_id)
        if run is None or run.state != "done" or not run.model_name or not run.model_version:
            return None
        verdict = verdict_of(self._registry.get(run.model_name, run.model_version, verify=False))
        return results.TrainResult(
            run_id=run_id,
            model=run.model_name,
            version=run.model_version,
            promoted=verdict.promote and bool(run.config.get("promote")),
            metrics=run.metrics,
            seconds=0.0,
            report=verdict.to_text(),
        )

    def _register(self, request: Request, run: TrainingRun, trained: Trained) -> Outcome:
        """Register the model, record that, and let producers know if it serves."""
        outcome = register(self._registry, request, run.run_id, trained, run.folder / "model")
        about = {"version": outcome.version, "run_id": run.run_id}
        data = {"data_sha256": trained.lineage["data_sha256"]}
        self._record(run, "model_registered", request.name, {**about, **data})
        shutil.rmtree(run.folder, ignore_errors=True)
        if outcome.promoted:
            self._record(run, "model_promoted", request.name, about)
            self._ledger.publish_models_generation(models_generation(self._registry))
        return outcome

    def _record(self, run: TrainingRun, event: Event, model: str, details: dict[str, Any]) -> None:
        with self._database.begin() as connection:
            run.audit.record(connection, event, model, details)

    def _fine_tune(self, request: FineTuneRequest, run: TrainingRun) -> Trained:
        champion = champion_of(self._registry, request.name)
        material = fine_tune_material(self._database, request, champion)
        job = FineTuneJob(
            name=request.name,
            config=config_of(request, self._settings),
            rows=JobMatchingDataset.from_rows(material.rows, request.task),
            policy=GatePolicy.from_json(policy_of(request)),
            judged_before=judged_before(self._registry, request.name),
            folder=run.folder,
            start=start_of(request, champion),
            unlabelled=request.unlabelled,
            new=material.new,
            about_rows=material.lineage,
        )
        return job.train(run.reporter(asdict), run.should_stop)

    def _train_multi_task(self, request: TrainMultiTaskRequest, run: TrainingRun) -> Trained:
        base = self._registry.get(request.name)
        material = multi_task_material(self._database, request, base, tasks_of(base, request))
        job = MultiTaskJob(
            request=request,
            base=base,
            rows=[to_example(row) for row in material.rows],
            precision=self._settings.precision,
            judged_before=judged_before(self._registry, request.name),
            folder=run.folder,
            new=material.new,
            about_rows=material.lineage,
        )
        return job.train(run.reporter(dict), run.should_stop)


def _report(trained: Trained, outcome: Outcome) -> str:
    return "\n".join(filter(None, (trained.report, outcome.verdict.to_text())))
