"""One job in a worker, over a real ledger and a real store: every way in which it can end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
from sqlalchemy import Connection

from jobsentinel import (
    AddLabelsResult,
    InvalidInput,
    JobCancelled,
    JobFailed,
    LeaseLost,
    Producer,
    RerankResult,
    Settings,
)
from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import StoreUnavailable
from jobsentinel.handles import JobHandle
from jobsentinel_workers.jobs.context import Answer, JobContext
from jobsentinel_workers.jobs.leases import LeaseKeeper
from jobsentinel_workers.jobs.lifecycle import JobRunner, NothingToDo, NotTakenUp, backoff_s
from jobsentinel_workers.jobs.reconciler import Reconciler
from jobsentinel_workers.store import Database, dead_letters, labels, results

LABEL = {"posting_id": "p", "kind": "scam", "value": True}
Handle = Callable[[Message, JobContext], Answer]


@pytest.fixture
def work(
    settings: Settings, producer: Producer, database: Database
) -> Iterator[Callable[[Handle], JobRunner]]:
    keepers: list[LeaseKeeper] = []

    def make(handler: Handle) -> JobRunner:
        keepers.append(LeaseKeeper(producer.ledger, settings.lease_s))
        return JobRunner(
            settings=settings,
            ledger=producer.ledger,
            leases=keepers[-1],
            database=database,
            handlers={"add_labels": handler},
            owner="test",
        )

    yield make
    for keeper in keepers:
        keeper.stop()


@pytest.fixture
def job(producer: Producer) -> JobHandle[AddLabelsResult]:
    return producer.add_labels([LABEL])


def storing(message: Message, context: JobContext) -> Answer:
    def store(connection: Connection) -> Message:
        stored = labels.add(connection, [LABEL], job_id=context.job_id)
        return AddLabelsResult(stored=stored, unchanged=1 - stored)

    return Answer(AddLabelsResult(stored=0, unchanged=1), store)


def test_an_answer_is_committed_and_told(
    work: Any, job: JobHandle[AddLabelsResult], database: Database
) -> None:
    packed = work(storing).run(job.job_id)

    assert msgpack.unpackb(packed) == {"stored": 1, "unchanged": 0}
    assert job.result(5).stored == 1
    with database.connect() as connection:
        assert results.committed(connection, job.job_id)
        assert labels.count_by_kind(connection) == {"scam": 1}


@pytest.mark.parametrize("job_id", ["", "../../etc", "a/b", ".", "x" * 201, "a b", "ä"])
def test_an_id_that_is_no_name_is_refused(work: Any, job_id: str) -> None:
    with pytest.raises(JobFailed, match="an id has"):
        work(storing).run(job_id)


def test_a_duplicate_message_does_nothing(work: Any, job: JobHandle[AddLabelsResult]) -> None:
    runner = work(storing)
    runner.run(job.job_id)

    with pytest.raises(NothingToDo, match="done"):
        runner.run(job.job_id)


def test_a_job_done_but_not_closed_is_closed_without_a_second_effect(
    work: Any, job: JobHandle[AddLabelsResult], producer: Producer, database: Database
) -> None:
    runner = work(storing)
    claim = producer.ledger.claim(job.job_id, owner="dying", lease_s=0.01, max_attempts=3)
    with database.begin() as connection:  # the first worker dies after its commit
        results.commit_job(connection, job.job_id, claim.token)  # type: ignore[union-attr]  # claimed
        labels.add(connection, [LABEL], job_id=job.job_id)
    time.sleep(0.02)
    producer.ledger.reconcile("r", leader_s=1, max_attempts=3, grace_s=60)

    runner.run(job.job_id)

    assert job.state() == "done"
    with database.connect() as connection:
        assert labels.count_by_kind(connection) == {"scam": 1}


def test_what_can_never_work_is_given_up_at_once(
    work: Any, job: JobHandle[AddLabelsResult]
) -> None:
    def refuse(message: Message, context: JobContext) -> Answer:
        raise InvalidInput("labels.0", "is odd")

    with pytest.raises(JobFailed, match=r"labels\.0: is odd"):
        work(refuse).run(job.job_id)

    with pytest.raises(JobFailed, match="invalid"):
        job.result(5)


def test_what_may_work_later_is_tried_again_up_to_the_cap(
    work: Any,
    job: JobHandle[AddLabelsResult],
    producer: Producer,
    settings: Settings,
    database: Database,
) -> None:
    attempts: list[int] = []

    def fail(message: Message, context: JobContext) -> Answer:
        attempts.append(context.claim.attempt)
        raise OSError("disk on strike")

    runner = work(fail)
    for _ in range(2):
        with pytest.raises(NothingToDo, match="tried again"):
            runner.run(job.job_id)
        time.sleep(0.25)
        producer.ledger.reconcile("r", leader_s=1, max_attempts=3, grace_s=60)
    with pytest.raises(JobFailed, match="disk on strike"):
        runner.run(job.job_id)

    assert attempts == [1, 2, 3]
    reconciler = Reconciler(settings, producer.ledger, database, "r")
    reconciler.turn()
    with database.connect() as connection:
        letter = dead_letters.get(connection, job.job_id)
    assert letter is not None
    assert (letter.attempts, letter.error) == (3, "OSError: disk on strike")
    assert "in fail" in letter.traceback


def test_a_cancelled_job_stops_at_its_next_step(
    work: Any, job: JobHandle[AddLabelsResult], database: Database
) -> None:
    def cancel_midway(message: Message, context: JobContext) -> Answer:
        job.cancel()
        runner.leases.renew_now()
        context.check()
        raise AssertionError("the job went on")

    runner = work(cancel_midway)

    with pytest.raises(NothingToDo, match="cancelled"):
        runner.run(job.job_id)

    with pytest.raises(JobCancelled):
        job.result(5)


def test_a_job_whose_deadline_passes_while_it_runs_is_given_up(
    work: Any, producer: Producer
) -> None:
    job = producer.rerank("cook", [], deadline_s=0.2)

    def dawdle(message: Message, context: JobContext) -> Answer:
        time.sleep(0.25)
        context.check()
        raise AssertionError("the job went on")

    runner = work(dawdle)
    runner.handlers["rerank"] = dawdle

    with pytest.raises(JobFailed, match="deadline passed while it ran"):
        runner.run(job.job_id)
    with pytest.raises(JobFailed, match="expired"):
        job.result(5)


def test_a_worker_that_lost_its_lease_commits_nothing(
    work: Any, job: JobHandle[AddLabelsResult], producer: Producer, database: Database
) -> None:
    def lose(message: Message, context: JobContext) -> Answer:
        # The process was frozen: meanwhile the lease ran out and another worker did the job.
        producer.ledger.release(job.job_id, context.claim.token)
        work(storing).run(job.job_id)
        return Answer(AddLabelsResult(stored=99, unchanged=0), _must_not_run)

    with pytest.raises(NothingToDo, match="lease lost"):
        work(lose).run(job.job_id)

    assert job.result(5).stored == 1
    with database.connect() as connection:
        assert labels.count_by_kind(connection) == {"scam": 1}


def attempts_of(producer: Producer, job_id: str) -> bytes | None:
    return producer.ledger._field(job_id, "attempts")


def test_a_store_that_is_away_is_not_the_jobs_fault(
    work: Any, job: JobHandle[AddLabelsResult], producer: Producer
) -> None:
    def full(message: Message, context: JobContext) -> Answer:
        raise StoreUnavailable("the store has no room")

    for _ in range(5):  # more often than a job may fail
        with pytest.raises(NothingToDo, match="given back"):
            work(full).run(job.job_id)
        producer.ledger._redis.zadd(f"{producer.ledger.prefix}delayed", {job.job_id: 0})
        producer.ledger.reconcile("r", leader_s=60, max_attempts=3, grace_s=60)

    assert (job.state(), attempts_of(producer, job.job_id)) == ("queued", b"0")
    work(storing).run(job.job_id)
    assert job.result(5).stored == 1


def test_a_stopping_worker_claims_nothing_and_gives_back_what_it_cannot_end(
    work: Any, job: JobHandle[AddLabelsResult], producer: Producer
) -> None:
    def told_to_stop(message: Message, context: JobContext) -> Answer:
        runner.leases.stop_signal.begin(finish_within_s=0.0)
        context.check()
        raise AssertionError("the job went on")

    runner = work(told_to_stop)

    with pytest.raises(NothingToDo, match="given back"):
        runner.run(job.job_id)
    with pytest.raises(NotTakenUp):
        runner.run(job.job_id)

    assert (job.state(), attempts_of(producer, job.job_id)) == ("queued", b"0")
    assert producer.depths()["inference.interactive"] == 2  # the first message and the new one


def test_what_is_done_in_time_is_not_given_back(work: Any, job: JobHandle[AddLabelsResult]) -> None:
    def finish(message: Message, context: JobContext) -> Answer:
        runner.leases.stop_signal.begin(finish_within_s=60.0)
        return storing(message, context)

    runner = work(finish)

    runner.run(job.job_id)

    assert job.result(5).stored == 1


def test_a_dead_letter_goes_when_its_job_is_done_after_all(
    work: Any, producer: Producer, settings: Settings, database: Database
) -> None:
    def refuse(message: Message, context: JobContext) -> Answer:
        raise InvalidInput("query", "is odd today")

    def answer(message: Message, context: JobContext) -> Answer:
        return Answer(RerankResult(ranked=(), candidates=0, timings_ms={}, models=()))

    job = producer.rerank("cook", [], idempotency_key="k")
    runner = work(refuse)
    runner.handlers["rerank"] = refuse
    with pytest.raises(JobFailed):
        runner.run(job.job_id)
    Reconciler(settings, producer.ledger, database, "r").turn()
    with database.connect() as connection:
        letter = dead_letters.get(connection, job.job_id)
    assert letter is not None
    assert letter.versions["jobsentinel-ml"]

    runner.handlers["rerank"] = answer
    producer.rerank("cook", [], idempotency_key="k")
    runner.run(job.job_id)

    with database.connect() as connection:
        assert dead_letters.get(connection, job.job_id) is None


def _must_not_run(connection: Connection) -> None:
    raise AssertionError("a stale worker wrote")


def test_a_stale_token_cannot_write_even_if_nobody_told_it(database: Database) -> None:
    with database.begin() as connection:
        results.commit_job(connection, "job", 7)

    with pytest.raises(LeaseLost), database.begin() as connection:
        results.commit_job(connection, "job", 6)


def test_a_process_told_to_stop_gives_its_job_back(
    work: Any, job: JobHandle[AddLabelsResult]
) -> None:
    def stop(message: Message, context: JobContext) -> Answer:
        raise SystemExit

    with pytest.raises(SystemExit):
        work(stop).run(job.job_id)

    assert job.state() == "queued"
    assert work(storing).run(job.job_id)


def test_a_lease_is_renewed_for_as_long_as_the_work_takes(
    settings: Settings, producer: Producer, job: JobHandle[AddLabelsResult]
) -> None:
    keeper = LeaseKeeper(producer.ledger, lease_s=0.3)
    claim: Any = producer.ledger.claim(job.job_id, owner="me", lease_s=0.3, max_attempts=3)

    with keeper.hold(claim) as context:
        time.sleep(1.0)
        producer.ledger.reconcile("r", leader_s=1, max_attempts=3, grace_s=60)
        context.check()

    assert job.state() == "running"
    keeper.stop()


@pytest.mark.parametrize("attempt", [1, 2, 5, 50])
def test_pauses_grow_and_are_bounded(attempt: int) -> None:
    pause = backoff_s(2.0, attempt)

    assert min(300.0, 2.0 * 2 ** (attempt - 1)) / 2 <= pause <= 300.0
