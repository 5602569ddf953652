"""A run's row and curve while it goes on, fails, is stopped, and goes on again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jobsentinel import InvalidInput, JobCancelled, Producer, Settings
from jobsentinel.contract import wire
from jobsentinel.contract.errors import GivenBack, StoreUnavailable
from jobsentinel.handles import JobHandle
from jobsentinel_workers.jobs.context import JobContext
from jobsentinel_workers.store import Database, run_losses, runs
from jobsentinel_workers.training.run_control import TrainingRun

Claim = Callable[[], JobContext]
Job = JobHandle[object]


@contextmanager
def opened(settings: Settings, database: Database, context: JobContext) -> Iterator[TrainingRun]:
    _, request = wire.decode_request(context.claim.payload)
    with TrainingRun(settings, database, context).open("fine_tune", request) as run:
        yield run


def attempt(
    settings: Settings,
    database: Database,
    context: JobContext,
    work: Callable[[TrainingRun], object] = lambda run: None,
) -> TrainingRun:
    """Open a run, work, and close it."""
    with opened(settings, database, context) as run:
        work(run)
    return run


def fail_with(error: Exception) -> None:
    raise error


def train(run: TrainingRun, steps: range, total: int = 20) -> None:
    """Report as a trainer does, which looks whether to stop before each step."""
    tell = run.reporter(dict)
    for step in steps:
        if run.should_stop():
            run.stopped()
        tell({"step": step, "total_steps": total, "loss": 1.0 / step, "phase": "training"})


def stored(database: Database, job: Job) -> runs.Run:
    with database.connect() as connection:
        run = runs.get(connection, job.job_id)
    assert run is not None
    return run


def steps_of_curve(database: Database, job: Job) -> list[int]:
    with database.connect() as connection:
        return [point.step for point in run_losses.curve(connection, job.job_id)]


def test_a_run_tells_where_it_is_and_leaves_its_curve(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    with opened(settings, database, claim()) as run:
        train(run, range(1, 21))

        # Then while it goes on, the ledger and the store say the same
        told = job.progress()

    row = stored(database, job)
    assert told is not None
    assert (told["state"], told["total_steps"]) == ("running", 20)
    assert {"step", "total_steps", "loss", "eta_s", "fraction", "state"} <= told.keys()
    # And afterwards the last step is known, though it came within the second
    assert (row.state, row.step, row.total_steps, row.loss) == ("running", 20, 20, 1 / 20)
    assert steps_of_curve(database, job) == list(range(1, 21))
    last = job.progress()
    assert last is not None
    assert (last["step"], last["fraction"]) == (20, 1.0)


def test_a_run_that_is_told_to_stop_checkpoints_and_waits_again(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    context = claim()
    seen: list[str] = []

    def train_and_hear_of_the_stop(run: TrainingRun) -> None:
        train(run, range(1, 4))
        context.stop.begin(0.0)
        assert run.should_stop()
        seen.extend((stored(database, job).state, (job.progress() or {})["state"]))
        run.stopped()

    with pytest.raises(GivenBack):
        attempt(settings, database, context, train_and_hear_of_the_stop)

    assert seen == ["checkpointing", "checkpointing"]
    row = stored(database, job)
    assert (row.state, row.step, row.error) == ("queued", 3, None)
    assert (settings.data_dir / "runs" / job.job_id).exists()


def test_the_curve_of_a_run_that_goes_on_has_no_gap_and_nothing_twice(
    settings: Settings, database: Database, producer: Producer, job: Job, claim: Claim
) -> None:
    # Given an attempt that ended beyond its last checkpoint, at step 5
    context = claim()

    def train_and_fail(run: TrainingRun) -> None:
        train(run, range(1, 8))
        fail_with(RuntimeError("out of memory"))

    with pytest.raises(RuntimeError):
        attempt(settings, database, context, train_and_fail)
    producer.ledger.release(job.job_id, context.claim.token)

    # When the next one goes on from there, and stops at step 6
    with opened(settings, database, claim()) as run:
        train(run, range(6, 7))
        assert steps_of_curve(database, job) == [1, 2, 3, 4, 5, 6]
        train(run, range(7, 21))

    assert steps_of_curve(database, job) == list(range(1, 21))


def test_an_attempt_that_another_one_follows_leaves_its_error_and_waits(
    settings: Settings, database: Database, producer: Producer, job: Job, claim: Claim
) -> None:
    context = claim()
    with pytest.raises(RuntimeError):
        attempt(settings, database, context, lambda _: fail_with(RuntimeError("out of memory")))
    waiting = stored(database, job)
    producer.ledger.release(job.job_id, context.claim.token)

    with opened(settings, database, claim()):
        going_on = stored(database, job)

    assert (waiting.state, waiting.error) == ("queued", "RuntimeError: out of memory")
    assert (going_on.state, going_on.error) == ("running", None)


def test_a_run_whose_last_attempt_fails_is_failed_with_its_error(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    strict = settings.model_copy(update={"max_attempts": 1})

    with pytest.raises(RuntimeError):
        attempt(strict, database, claim(), lambda _: fail_with(RuntimeError("out of memory")))

    row = stored(database, job)
    assert (row.state, row.error) == ("failed", "RuntimeError: out of memory")
    assert row.finished_at is not None


def test_a_run_that_can_never_work_is_failed_at_once(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    with pytest.raises(InvalidInput):
        attempt(
            settings, database, claim(), lambda _: fail_with(InvalidInput("rows", "teach nothing"))
        )

    row = stored(database, job)
    assert (row.state, row.error) == ("failed", "rows: teach nothing")


def test_a_cancelled_run_leaves_its_row_and_curve_alone(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    context = claim()

    def train_and_hear_of_the_cancelling(run: TrainingRun) -> None:
        train(run, range(1, 4))
        context.cancel_requested.set()
        train(run, range(4, 5))

    with pytest.raises(JobCancelled):
        attempt(settings, database, context, train_and_hear_of_the_cancelling)

    assert stored(database, job).state == "cancelled"
    assert steps_of_curve(database, job) == [1, 2, 3]
    assert not (settings.data_dir / "runs" / job.job_id).exists()


def test_a_store_that_is_away_for_a_while_costs_no_step_and_no_point(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    away = FlakyStore(database)

    with opened(settings, away, claim()) as run:  # type: ignore[arg-type]  # the same methods
        train(run, range(1, 5))
        away.is_away = True
        train(run, range(5, 10))
        away.is_away = False
        train(run, range(10, 21))

    assert steps_of_curve(database, job) == list(range(1, 21))
    assert stored(database, job).step == 20


class FlakyStore:
    """The store behind a connection that the test cuts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_away = False

    @contextmanager
    def begin(self) -> Iterator[Any]:
        if self.is_away:
            raise StoreUnavailable("cut by the test")
        with self._database.begin() as connection:
            yield connection

    def connect(self) -> Any:
        return self._database.connect()


def broken_off_at(step: int) -> Callable[[TrainingRun], None]:
    """Return work that reports a step and gets no further."""

    def work(run: TrainingRun) -> None:
        train(run, range(step, step + 1))
        raise RuntimeError("the machine went away")

    return work


def again(context: JobContext) -> None:
    """Let the job be tried again, if the cap allows it."""
    token = context.claim.token
    context.ledger.retry(context.job_id, token, delay_s=0, max_attempts=3, error="broken off")


def test_a_run_that_gets_further_each_time_is_never_given_up(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    for end in range(2, 14, 2):
        # Given an attempt that goes two steps further than the one before and is then broken off
        context = claim()
        with pytest.raises(RuntimeError):
            attempt(settings, database, context, broken_off_at(end))
        again(context)

    assert stored(database, job).state == "queued"
    assert job.state() == "queued"


def test_a_run_that_ends_at_the_same_step_each_time_is_given_up(
    settings: Settings, database: Database, job: Job, claim: Claim
) -> None:
    # Given a run that reaches step 4 and no further
    attempts = 0
    while job.state() == "queued":
        context = claim()
        attempts += 1
        with pytest.raises(RuntimeError):
            attempt(settings, database, context, broken_off_at(4))
        again(context)

    # Then the first attempt does not count, since the second could not know where it would end
    assert (job.state(), attempts) == ("failed", 4)
    assert stored(database, job).state == "failed"
