"""The ledger on a real server: each step is atomic, and every job ends somewhere."""

from __future__ import annotations

import time

import msgpack
import pytest
import redis

from jobsentinel import InvalidInput, QueueUnavailable
from jobsentinel.contract.tasks import BULK, TASKS
from jobsentinel.envelope import task_message
from jobsentinel.ledger import Claim, Ledger, Refused

ANSWER = msgpack.packb({"answer": 1})


def enqueue(ledger: Ledger, job_id: str = "job", payload: bytes = b"payload") -> str:
    message = task_message(TASKS["score"], job_id, BULK, "1 posting")
    return ledger.enqueue(job_id, task="score", queue=BULK, payload=payload, message=message)


def claim(ledger: Ledger, job_id: str = "job", owner: str = "me", lease_s: float = 60) -> Claim:
    claimed = ledger.claim(job_id, owner=owner, lease_s=lease_s, max_attempts=3)
    assert isinstance(claimed, Claim), claimed
    return claimed


def reconcile(ledger: Ledger, owner: str = "me", grace_s: float = 60) -> tuple[int, int, int]:
    done = ledger.reconcile(owner, leader_s=60, max_attempts=3, grace_s=grace_s)
    assert done is not None
    return done.expired, done.due, done.resent


def waiting(ledger: Ledger) -> int:
    return ledger.depths([BULK])[BULK]


def test_a_job_is_enqueued_claimed_and_completed(ledger: Ledger) -> None:
    assert enqueue(ledger) == "new"
    assert (ledger.state("job"), waiting(ledger)) == ("queued", 1)

    job = claim(ledger)
    assert (job.task, job.payload, job.attempt, job.payload_is_intact()) == (
        "score",
        b"payload",
        1,
        True,
    )
    assert ledger.complete("job", job.token, ttl_s=60, result=ANSWER)

    assert ledger.outcome("job") == ("done", ANSWER)
    assert ledger.depths([])["running"] == 0


def test_the_same_id_is_the_same_job_until_it_failed(ledger: Ledger) -> None:
    enqueue(ledger)
    assert enqueue(ledger) == "queued"
    assert waiting(ledger) == 1

    job = claim(ledger)
    assert enqueue(ledger) == "running"

    ledger.fail("job", job.token, reason="invalid", error="no")
    assert enqueue(ledger) == "failed"
    assert claim(ledger).attempt == 1


def test_only_one_of_two_workers_gets_a_job(ledger: Ledger) -> None:
    enqueue(ledger)
    claim(ledger, owner="first")

    second = ledger.claim("job", owner="second", lease_s=60, max_attempts=3)

    assert second == Refused("running")
    assert ledger.claim("nothing", owner="x", lease_s=60, max_attempts=3) == Refused("missing")


def test_a_lease_that_ran_out_passes_the_job_on_and_shuts_the_old_holder_out(
    ledger: Ledger,
) -> None:
    enqueue(ledger)
    slow = claim(ledger, owner="slow", lease_s=0.02)
    time.sleep(0.05)

    assert reconcile(ledger) == (1, 0, 0)
    quick = claim(ledger, owner="quick")

    assert quick.token > slow.token
    assert ledger.renew([("job", slow.token), ("job", quick.token)], lease_s=60) == ["lost", "held"]
    assert not ledger.complete("job", slow.token, ttl_s=60, result=b"old")
    assert ledger.complete("job", quick.token, ttl_s=60, result=ANSWER)
    assert ledger.outcome("job")[1] == ANSWER


def test_renewing_keeps_a_job(ledger: Ledger) -> None:
    enqueue(ledger)
    job = claim(ledger, lease_s=0.1)

    for _ in range(4):
        time.sleep(0.05)
        assert ledger.renew([("job", job.token)], lease_s=0.1) == ["held"]

    assert reconcile(ledger) == (0, 0, 0)
    assert ledger.state("job") == "running"


def test_a_job_whose_workers_keep_vanishing_is_given_up(ledger: Ledger) -> None:
    enqueue(ledger)
    for _ in range(3):
        claim(ledger, owner="doomed", lease_s=0.01)
        time.sleep(0.02)
        assert reconcile(ledger)[0] == 1

    (dead,) = ledger.dead_jobs()
    assert (dead.job_id, dead.reason, dead.attempts, dead.payload) == (
        "job",
        "attempts",
        3,
        b"payload",
    )
    assert "doomed vanished" in dead.error
    ledger.mark_buried(dead, ttl_s=60)
    assert list(ledger.dead_jobs()) == []
    assert ledger.state("job") == "failed"


def test_a_job_sent_again_while_its_letter_was_written_is_untouched(ledger: Ledger) -> None:
    enqueue(ledger)
    ledger.fail("job", claim(ledger).token, reason="invalid", error="no")
    (dead,) = ledger.dead_jobs()
    enqueue(ledger)

    ledger.mark_buried(dead, ttl_s=60)

    assert claim(ledger).payload == b"payload"


def test_a_retry_waits_for_its_time_and_ends_at_the_cap(ledger: Ledger) -> None:
    enqueue(ledger)
    for attempt in (1, 2):
        job = claim(ledger)
        assert job.attempt == attempt
        outcome = ledger.retry("job", job.token, delay_s=0.03, max_attempts=3, error="oops")
        assert outcome == "queued"
        assert reconcile(ledger) == (0, 0, 0)
        time.sleep(0.05)
        assert reconcile(ledger) == (0, 1, 0)

    job = claim(ledger)
    assert ledger.retry("job", job.token, delay_s=0, max_attempts=3, error="oops") == "failed"
    assert ledger.failure("job") == ("attempts", "oops")


def test_a_job_given_back_has_lost_no_attempt(ledger: Ledger) -> None:
    enqueue(ledger)
    job = claim(ledger)

    assert ledger.release("job", job.token)

    assert not ledger.release("job", job.token)
    assert claim(ledger).attempt == 1


def test_cancelling_before_and_during_work(ledger: Ledger) -> None:
    enqueue(ledger, "waiting")
    enqueue(ledger, "working")
    job = claim(ledger, "working")

    assert ledger.cancel("waiting", ttl_s=60) == "queued"
    assert ledger.cancel("working", ttl_s=60) == "running"
    assert ledger.cancel("unheard of", ttl_s=60) == "unknown"

    assert ledger.state("waiting") == "cancelled"
    refused = ledger.claim("waiting", owner="me", lease_s=60, max_attempts=3)
    assert refused == Refused("cancelled")
    assert ledger.renew([("working", job.token)], lease_s=60) == ["cancel"]
    assert ledger.mark_cancelled("working", job.token, ttl_s=60)
    assert ledger.state("working") == "cancelled"


def test_a_cancelled_job_whose_worker_vanished_does_not_come_back(ledger: Ledger) -> None:
    enqueue(ledger)
    claim(ledger, lease_s=0.01)
    ledger.cancel("job", ttl_s=60)
    time.sleep(0.02)

    reconcile(ledger)

    assert ledger.state("job") == "cancelled"


def test_a_deadline_that_passed_is_a_dead_letter(ledger: Ledger) -> None:
    message = task_message(TASKS["score"], "job", BULK, "")
    ledger.enqueue("job", task="score", queue=BULK, payload=b"", message=message, within_s=0.01)
    time.sleep(0.02)

    refused = ledger.claim("job", owner="me", lease_s=60, max_attempts=3)

    assert refused == Refused("failed")
    assert ledger.failure("job")[0] == "expired"


def test_a_message_popped_and_lost_is_sent_again_and_a_waiting_one_is_not(
    ledger: Ledger, client: redis.Redis
) -> None:
    enqueue(ledger, "lost")
    time.sleep(0.01)
    enqueue(ledger, "waiting")
    client.rpop(f"{ledger.prefix}{BULK}")  # a worker is killed between popping and claiming
    time.sleep(0.05)

    assert reconcile(ledger, grace_s=0.02) == (0, 0, 1)

    assert waiting(ledger) == 2
    assert reconcile(ledger, grace_s=0.02) == (0, 0, 0)


def test_each_copy_of_a_message_has_its_own_delivery_tag(
    ledger: Ledger, client: redis.Redis
) -> None:
    enqueue(ledger)
    client.rpop(f"{ledger.prefix}{BULK}")
    enqueue(ledger, "other")
    job = claim(ledger)
    ledger.release("job", job.token)

    messages = client.lrange(f"{ledger.prefix}{BULK}", 0, -1)

    assert len({message.split(b'"delivery_tag": ')[1] for message in messages}) == 2  # type: ignore[union-attr]  # bytes: responses are not decoded


def test_one_worker_reconciles_at_a_time(ledger: Ledger) -> None:
    reconcile(ledger, owner="leader")

    assert ledger.reconcile("other", leader_s=60, max_attempts=3, grace_s=60) is None
    assert not ledger.hold("leader", "other", lease_s=60)


def test_a_role_has_one_holder_until_it_lets_go(ledger: Ledger) -> None:
    assert ledger.hold("reencoder", "first", lease_s=60)
    assert ledger.hold("reencoder", "first", lease_s=60)
    assert not ledger.hold("reencoder", "second", lease_s=60)
    assert ledger.hold("leader", "second", lease_s=60)

    ledger.let_go("reencoder", "second")
    assert not ledger.hold("reencoder", "second", lease_s=60)

    ledger.let_go("reencoder", "first")
    assert ledger.hold("reencoder", "second", lease_s=60)


def test_progress_is_the_holders_word(ledger: Ledger) -> None:
    enqueue(ledger)
    job = claim(ledger)

    assert ledger.report_progress("job", job.token, {"step": 3})
    assert not ledger.report_progress("job", job.token + 1, {"step": 9})
    assert ledger.progress("job") == {"step": 3}


def test_a_server_that_is_away_is_named() -> None:
    ledger = Ledger(redis.Redis(port=1, retry=None))

    with pytest.raises(QueueUnavailable, match="cannot be reached"):
        ledger.state("job")


def test_a_server_that_refuses_to_write_is_named(ledger: Ledger, client: redis.Redis) -> None:
    before = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(QueueUnavailable, match="refuses"):
            enqueue(ledger)
    finally:
        client.config_set("maxmemory", before)
    assert ledger.state("job") == "unknown"


def test_an_id_too_long_for_a_key_is_refused_by_the_producer(producer: object) -> None:
    with pytest.raises(InvalidInput, match="idempotency_key"):
        producer.rerank("q", [], idempotency_key="x" * 201)  # type: ignore[attr-defined]


def test_attempts_before_one_that_got_further_do_not_count(ledger: Ledger) -> None:
    # Given a job at its last attempt
    enqueue(ledger)
    for _ in range(2):
        ledger.retry("job", claim(ledger).token, delay_s=0, max_attempts=3, error="broke")
    last = claim(ledger)
    assert last.attempt == 3

    # When it says that it got further than before
    assert ledger.advanced("job", last.token)

    # Then it may fail as often again, and nobody else can say so for it
    assert ledger.retry("job", last.token, delay_s=0, max_attempts=3, error="broke") == "queued"
    assert not ledger.advanced("job", last.token)
    assert claim(ledger).attempt == 2
