"""What Celery's own tools show of a run: the result backend, and events as Flower takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery.events.state import State

from jobsentinel import Producer, Settings
from jobsentinel.handles import JobHandle
from jobsentinel_workers.app import create_app
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.task_progress import TaskProgress, in_words

REPORT = {
    "phase": "training",
    "step": 120,
    "total_steps": 500,
    "loss": 0.41234,
    "fraction": 0.24,
    "eta_s": 35.0,
}


def test_the_state_of_the_celery_task_is_progress_with_the_last_report(
    settings: Settings, job: JobHandle[Any], claim: Callable[[], JobContext]
) -> None:
    with create_app(settings) as app:
        context = claim()
        started = app.AsyncResult(job.job_id)
        assert (started.state, started.info) == ("STARTED", None)

        context.report(REPORT, force=True)

        running = app.AsyncResult(job.job_id)
        assert (running.state, running.info, running.ready()) == ("PROGRESS", REPORT, False)


@contextmanager
def monitor(app: Any) -> Iterator[tuple[State, list[str]]]:
    """Listen as Flower does, and yield what it knows and the progress that it heard of."""
    state, heard, over = State(), [], threading.Event()

    def keep(event: dict[str, Any]) -> None:
        state.event(event)
        heard.append(event.get("result", ""))

    def listen() -> None:
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": keep})
            with receiver.consumer_context() as (own, _, _):
                while not over.is_set():
                    with suppress(TimeoutError):
                        own.drain_events(timeout=0.2)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield state, heard
    finally:
        over.set()
        listener.join()


def test_a_monitor_is_told_at_once_and_then_at_intervals(settings: Settings) -> None:
    app = create_app(settings)
    task = app.tasks["jobsentinel.fine_tune"]
    with monitor(app) as (state, heard):
        task.push_request(id="run", hostname="training@test")
        try:
            while not heard:  # what is sent before it listens is lost
                TaskProgress(task)({"phase": "warm-up"})
                time.sleep(0.05)

            # When two reports follow each other, and another run begins
            tell = TaskProgress(task)
            tell(REPORT)
            tell({**REPORT, "step": 121})
            TaskProgress(task)({**REPORT, "step": 1})
            last = in_words({**REPORT, "step": 1})
            while last not in heard:
                time.sleep(0.05)
        finally:
            task.pop_request()

    # Then the second was not sent, and the state is progress, with words in the result's place
    assert [each for each in heard if each != "warm-up"] == [in_words(REPORT), last]
    assert in_words(REPORT) == "training, 24%, step 120/500, loss 0.4123, 35 s left"
    assert (state.tasks["run"].state, state.tasks["run"].result) == ("PROGRESS", last)


def test_a_broker_that_is_away_costs_the_run_nothing(
    settings: Settings, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    task = create_app(away).tasks["jobsentinel.fine_tune"]

    task.push_request(id="run", hostname="training@test")
    try:
        TaskProgress(task)(REPORT)
    finally:
        task.pop_request()

    assert "task.progress_not_sent" in caplog.text
