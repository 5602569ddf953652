"""Emptying the outbox into a real Redis: in order, each job once, whatever comes in between."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from jobsentinel import QueueFull, RateLimited, Settings
from jobsentinel.backpressure import Gate
from jobsentinel.contract.tasks import BULK, INTERACTIVE
from jobsentinel.flushing import Flusher
from jobsentinel.ledger import Claim, Ledger, Refusal, connect
from jobsentinel.new_jobs import NewJob
from jobsentinel.outbox import Outbox

MakeJob = Callable[..., NewJob]
Start = Callable[..., subprocess.Popen[str]]
Queued = Callable[..., list[str]]
MakeFlusher = Callable[..., Flusher]


@pytest.fixture
def flusher_with(settings: Settings, ledger: Ledger) -> Iterator[MakeFlusher]:
    """Make a flusher with other settings."""
    made: list[Flusher] = []

    def make(**changes: object) -> Flusher:
        changed = settings.changed(**changes)
        made.append(Flusher(ledger, Gate(ledger, changed), changed))
        return made[-1]

    yield make
    for each in made:
        each.close()


def fill(outbox: Outbox, jobs: list[NewJob], *, keep: bool = False) -> list[str]:
    for job in jobs:
        outbox.append(job, keep=keep)
    return [job.job_id for job in jobs]


def fail(ledger: Ledger, job_id: str) -> None:
    claim = ledger.claim(job_id, owner="test", lease_s=60, max_attempts=1)
    assert isinstance(claim, Claim)
    ledger.fail(job_id, claim.token, reason="invalid", error="no")


def test_all_leave_in_the_order_in_which_they_came(
    outbox: Outbox, flusher: Flusher, new_job: MakeJob, queued: Queued
) -> None:
    ids = fill(outbox, [new_job(n) for n in range(30)])

    flushed = flusher.flush()

    assert (flushed.sent, flushed.is_whole()) == (30, True)
    assert queued() == ids
    assert outbox.is_empty()


def test_a_crash_between_sending_and_settling_sends_nothing_twice(
    *,
    outbox: Outbox,
    flusher: Flusher,
    ledger: Ledger,
    settings: Settings,
    new_job: MakeJob,
    queued: Queued,
) -> None:
    # Given a sender that was killed after it had sent the first job and before it settled that
    ids = fill(outbox, [new_job(1), new_job(2)])
    first = outbox.next_waiting()
    assert first is not None
    Gate(ledger, settings).offer(first.job)

    # When another one goes on
    flusher.flush()

    # Then each is in the queue once, in order
    assert queued() == ids


def test_a_job_that_has_failed_since_is_not_started_anew_by_a_second_sending(
    *,
    outbox: Outbox,
    flusher: Flusher,
    ledger: Ledger,
    settings: Settings,
    new_job: MakeJob,
    queued: Queued,
) -> None:
    # Given a job that was sent, not settled, and has failed
    (job_id,) = fill(outbox, [new_job()])
    row = outbox.next_waiting()
    assert row is not None
    Gate(ledger, settings).offer(row.job)
    fail(ledger, job_id)

    # When it is sent once more
    flusher.flush()

    # Then it stays as it is, and has left the outbox
    assert ledger.state(job_id) == "failed"
    assert len(queued()) == 1
    assert outbox.is_empty()


def test_two_processes_that_send_at_once_send_each_job_once_and_in_order(
    outbox: Outbox, settings: Settings, new_job: MakeJob, queued: Queued, start: Start
) -> None:
    # Given many jobs, and two processes
    ids = fill(outbox, [new_job(n) for n in range(300)])
    arguments = [settings.data_dir, settings.resolve_redis_url(), settings.namespace]
    processes = [start("flush", *arguments) for _ in range(2)]

    # When both have ended
    printed = [process.communicate(timeout=120)[0] for process in processes]

    # Then together they have sent every job once
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(map(int, printed)) == 300
    assert queued() == ids


def test_a_full_queue_keeps_its_order_and_does_not_hold_up_the_others(
    outbox: Outbox, flusher_with: MakeFlusher, ledger: Ledger, new_job: MakeJob, queued: Queued
) -> None:
    # Given jobs for two queues, one of which takes no more than two messages
    bulk = [new_job(n) for n in range(4)]
    urgent = [new_job(n + 10, queue=INTERACTIVE) for n in range(2)]
    fill(outbox, [bulk[0], bulk[1], bulk[2], urgent[0], bulk[3], urgent[1]])
    flusher = flusher_with(max_queued_bulk=2)

    # When they are sent
    flushed = flusher.flush()

    # Then the full queue has its first two, and the other one everything
    assert (flushed.sent, dict(flushed.refusals)) == (4, {BULK: Refusal()})
    assert queued(BULK) == [bulk[0].job_id, bulk[1].job_id]
    assert queued(INTERACTIVE) == [job.job_id for job in urgent]
    assert outbox.contents().waiting == 2


def test_the_rate_holds_for_what_waited_too(
    outbox: Outbox, flusher_with: MakeFlusher, new_job: MakeJob
) -> None:
    # Given three postings, and a rate of one in 1,000 seconds
    fill(outbox, [new_job(n) for n in range(3)])
    flusher = flusher_with(producer_name="slow", rate_limit_per_s=0.001)

    # When they are sent as fast as possible
    flushed = flusher.flush()

    # Then it says for how long the rate is used up, and the rest waits
    assert flushed.sent == 1
    wait_s = flushed.rate_wait_s()
    assert wait_s is not None
    assert 0 < wait_s <= 1_000
    assert outbox.contents().waiting == 2


def test_what_is_overdue_becomes_a_dead_letter_and_does_not_vanish(
    outbox: Outbox, flusher: Flusher, ledger: Ledger, new_job: MakeJob, queued: Queued
) -> None:
    # Given a job that was to be done in a minute, and has waited for two
    made = new_job(deadline_s=60)
    (job_id,) = fill(outbox, [replace(made, created=made.created - 120)])

    # When it is sent and the reconciler looks
    flusher.flush()
    while ledger.state(job_id) == "queued":
        ledger.reconcile("test", leader_s=60, max_attempts=1, grace_s=60)

    # Then it is given up as expired
    assert ledger.failure(job_id)[0] == "expired"


def test_a_job_withdrawn_while_it_is_on_its_way_is_cancelled(
    outbox: Outbox, flusher: Flusher, ledger: Ledger, settings: Settings, new_job: MakeJob
) -> None:
    # Given a job that a sender has read and sent
    (job_id,) = fill(outbox, [new_job()])
    row = outbox.next_waiting()
    assert row is not None
    Gate(ledger, settings).offer(row.job)

    # When somebody withdraws it before the sender settles it
    outbox.withdraw(job_id)
    flusher.settle(row)

    # Then it does not run
    assert ledger.state(job_id) == "cancelled"


def test_without_redis_everything_stays(
    outbox: Outbox, settings: Settings, new_job: MakeJob
) -> None:
    # Given an address at which nobody listens
    fill(outbox, [new_job()])
    away = settings.changed(redis_url="redis://127.0.0.1:1/0")
    with connect(away.resolve_redis_url()) as client:
        ledger = Ledger(client, away.namespace)
        flusher = Flusher(ledger, Gate(ledger, away), away)

        # When it is tried all the same
        flushed = flusher.look_after()

    # Then it is said, and nothing has left
    assert flushed.away is not None
    assert not flushed.is_whole()
    assert outbox.contents().waiting == 1


def test_a_kept_job_stays_until_it_ended(
    outbox: Outbox, flusher: Flusher, ledger: Ledger, settings: Settings, new_job: MakeJob
) -> None:
    # Given three kept jobs that were sent
    running, failed, cancelled = fill(outbox, [new_job(n) for n in range(3)], keep=True)
    flusher.flush()
    assert (outbox.contents().waiting, outbox.contents().kept) == (0, 3)

    # When one runs, one has failed and one was cancelled
    ledger.claim(running, owner="test", lease_s=60, max_attempts=1)
    fail(ledger, failed)
    ledger.cancel(cancelled, ttl_s=60)
    flusher.check()

    # Then only the one that runs is kept
    assert [job_id for _, job_id in outbox.kept()] == [running]


def test_kept_jobs_that_the_ledger_lost_are_sent_again_in_their_order(
    *,
    outbox: Outbox,
    flusher: Flusher,
    settings: Settings,
    new_job: MakeJob,
    queued: Queued,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given more kept jobs than fit into a batch, and a server that lost all that it had
    ids = fill(outbox, [new_job(n) for n in range(502)], keep=True)
    flusher.flush()
    with connect(settings.resolve_redis_url()) as client:
        client.delete(*client.keys(f"{settings.namespace}:*"))

    # When they are looked after
    flushed = flusher.look_after()

    # Then all are back, and one line of the log says how many they were
    assert flushed.sent == 502
    assert queued() == ids
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"outbox.sent_again jobs=502 job_ids={','.join(ids[:5])},...:")

    # And a second look sends nothing
    assert flusher.look_after().sent == 0
    assert queued() == ids


def test_a_refusal_is_told_with_its_limit_and_the_ways_out(
    ledger: Ledger, settings: Settings
) -> None:
    gate = Gate(ledger, settings.changed(producer_name="scraper", rate_limit_per_s=2.5))

    full, limited = gate.refused(BULK, Refusal()), gate.refused(BULK, Refusal(0.5))

    assert type(full) is QueueFull
    for part in ("5,000 messages wait in inference.bulk", "JOBSENTINEL_MAX_QUEUED_BULK"):
        assert part in str(full)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == 0.5
    for part in ("'scraper'", "2.5 items a second", "0.5 s", "JOBSENTINEL_RATE_LIMIT_PER_S"):
        assert part in str(limited)
