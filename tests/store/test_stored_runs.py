"""Training runs in the store."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest

from jobsentinel.contract.errors import InvalidInput, LeaseLost
from jobsentinel_workers.store import Database, runs

ALLOWED: dict[str, set[str]] = {
    "queued": {"queued", "running", "failed", "cancelled"},
    "running": {"queued", "running", "checkpointing", "done", "failed", "cancelled"},
    "checkpointing": {"queued", "running", "checkpointing", "done", "failed", "cancelled"},
    "failed": {"queued", "running"},
    "done": set(),
    "cancelled": set(),
}
WAYS_TO: dict[str, list[runs.RunState]] = {
    "queued": [],
    "running": ["running"],
    "checkpointing": ["running", "checkpointing"],
    "failed": ["failed"],
    "done": ["running", "done"],
    "cancelled": ["cancelled"],
}


def progress(database: Database, **news: Any) -> runs.Run:
    with database.begin() as connection:
        return runs.progress(connection, "run", **news)


def finish(database: Database, state: Any, **news: Any) -> runs.Run:
    with database.begin() as connection:
        return runs.finish(connection, "run", state, **news)


@pytest.fixture
def started(database: Database) -> Database:
    """A store with one queued run."""
    with database.begin() as connection:
        assert runs.create(connection, "run", "fine_tune", config={"epochs": 3}, total_steps=90)
    return database


def test_a_run_from_its_start_to_its_model(started: Database) -> None:
    running = progress(started, state="running", step=1, loss=2.5)
    progress(started, state="checkpointing", step=45, metrics={"accuracy": 0.5})
    progress(started, state="running", step=90, loss=0.25, metrics={"f1": 0.75})
    done = finish(started, "done", metrics={"accuracy": 0.9}, model_name="mine", model_version=4)

    with started.connect() as connection:
        assert runs.get(connection, "run") == done
    assert (done.state, done.step, done.total_steps, done.loss) == ("done", 90, 90, 0.25)
    assert done.metrics == {"accuracy": 0.9, "f1": 0.75}
    assert done.config == {"epochs": 3}
    assert (done.model_name, done.model_version, done.error) == ("mine", 4, None)
    assert done.started_at == running.started_at
    assert None not in (done.started_at, done.finished_at)
    assert done.created_at <= (done.started_at or "") <= (done.finished_at or "")


def test_a_run_entered_twice_stays_as_it_is(started: Database) -> None:
    before = progress(started, state="running", step=5)

    with started.begin() as connection:
        assert not runs.create(connection, "run", "fine_tune", config={"epochs": 100})
        assert runs.get(connection, "run") == before


def test_a_state_follows_only_those_before_it(database: Database) -> None:
    for state, following in itertools.product(ALLOWED, get_args(runs.RunState)):
        with database.begin() as connection:
            # Given a run in a state
            run_id = f"{state}-{following}"
            runs.create(connection, run_id, "fine_tune")
            for step in WAYS_TO[state]:
                runs.progress(connection, run_id, state=step)

            # When another is reported; then it is taken, or refused and nothing changes
            if following in ALLOWED[state]:
                assert runs.progress(connection, run_id, state=following).state == following
            else:
                before = runs.get(connection, run_id)
                with pytest.raises(InvalidInput, match=f"is {state} and cannot become {following}"):
                    runs.progress(connection, run_id, state=following, step=99)
                assert runs.get(connection, run_id) == before


def test_finishing_again_in_the_same_way_changes_nothing(started: Database) -> None:
    progress(started, state="running")
    done = finish(started, "done", model_name="mine", model_version=1)

    assert finish(started, "done", model_name="other", model_version=2) == done
    with pytest.raises(InvalidInput, match="cannot become failed"):
        finish(started, "failed", error="too late")


def test_a_failed_run_keeps_its_error_until_it_is_retried(started: Database) -> None:
    failed = finish(started, "failed", error="CUDA says \x00 and \udcff")
    assert failed.error == "CUDA says \\u0000 and \\udcff"
    assert failed.finished_at is not None

    retried = progress(started, state="queued")
    assert (retried.error, retried.finished_at) == (None, None)


def test_a_worker_that_lost_its_lease_cannot_report(started: Database) -> None:
    progress(started, state="running", fencing_token=2, step=50)

    with pytest.raises(LeaseLost, match="token 1 is older than 2"):
        progress(started, step=10, fencing_token=1)
    with pytest.raises(LeaseLost):
        finish(started, "done", fencing_token=1)
    assert progress(started, step=51, fencing_token=3).fencing_token == 3


def test_runs_are_listed_newest_first_by_state_and_task(database: Database) -> None:
    for number in range(4):
        with database.begin() as connection:
            task = "fine_tune" if number % 2 else "train_multi_task"
            runs.create(connection, f"run-{number}", task)
    with database.begin() as connection:
        runs.progress(connection, "run-3", state="running")

    with database.connect() as connection:
        ids = [run.run_id for run in runs.find(connection)]
        assert ids == ["run-3", "run-2", "run-1", "run-0"]
        assert [run.run_id for run in runs.find(connection, task="fine_tune", limit=1)] == ["run-3"]
        assert [run.run_id for run in runs.find(connection, state="queued")] == ids[1:]
        assert runs.get(connection, "unknown") is None


@pytest.mark.parametrize(
    ("news", "field"),
    [
        ({"loss": float("nan")}, "loss"),
        ({"metrics": {"f1": float("inf")}}, "metrics.f1"),
    ],
)
def test_numbers_that_are_not_finite_are_refused(
    started: Database, news: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        progress(started, **news)
    assert refused.value.field == field


def test_unknown_runs_and_endings_are_refused(started: Database) -> None:
    with pytest.raises(InvalidInput, match="must be one of cancelled, done, failed"):
        finish(started, "running")
    with started.begin() as connection, pytest.raises(InvalidInput, match="there is no run 'x'"):
        runs.progress(connection, "x", step=1)
