"""Entries, messages and leases that nobody can work with are given up with a reason, once."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from jobsentinel import Producer
from jobsentinel.contract.tasks import BULK, TASKS
from jobsentinel.envelope import task_message
from jobsentinel.ledger import Claim, Ledger, Refused

Spoil = Callable[[redis.Redis, str], object]


def enqueue(ledger: Ledger, job_id: str, within_s: float | None = None) -> None:
    message = task_message(TASKS["score"], job_id, BULK, "1 posting")
    ledger.enqueue(
        job_id, task="score", queue=BULK, payload=b"p", message=message, within_s=within_s
    )


def claim(ledger: Ledger, job_id: str, lease_s: float = 60) -> Claim | Refused:
    return ledger.claim(job_id, owner=f"me {time.monotonic_ns()}", lease_s=lease_s, max_attempts=3)


def reconcile(ledger: Ledger, grace_s: float = 0) -> None:
    assert ledger.reconcile("me", leader_s=60, max_attempts=3, grace_s=grace_s) is not None


def replace_by_text(client: redis.Redis, key: str) -> None:
    client.delete(key)
    client.set(key, "not a hash")


SPOILS: dict[str, tuple[Spoil, str]] = {
    "another type": (replace_by_text, "is a string and no hash"),
    "no payload": (lambda client, key: client.hdel(key, "payload"), "has no payload"),
    "no message": (lambda client, key: client.hdel(key, "message"), "has no message"),
    "an unknown state": (
        lambda client, key: client.hset(key, "state", "dreaming"),
        "has the state dreaming",
    ),
    "attempts in words": (
        lambda client, key: client.hset(key, "attempts", "many"),
        "has attempts that are no number",
    ),
    "a deadline in words": (
        lambda client, key: client.hset(key, "deadline", "soon"),
        "has a deadline that is no number",
    ),
}


@pytest.mark.parametrize("found_by", ["claim", "reconciler", "producer"])
@pytest.mark.parametrize(("spoil", "says"), SPOILS.values(), ids=SPOILS.keys())
def test_a_flawed_entry_is_given_up_with_its_flaw(
    ledger: Ledger, client: redis.Redis, found_by: str, spoil: Spoil, says: str
) -> None:
    enqueue(ledger, "job")
    spoil(client, f"{ledger.prefix}job:job")
    if found_by == "producer":
        enqueue(ledger, "job")  # it starts anew over the flawed one
        assert isinstance(claim(ledger, "job"), Claim)
        return
    if found_by == "claim":
        assert claim(ledger, "job") == Refused("failed")
    else:
        client.delete(f"{ledger.prefix}{BULK}")
        time.sleep(0.002)
        reconcile(ledger)

    assert ledger.state("job") == "failed"
    assert ledger.failure("job") == ("corrupted", f"the ledger's entry {says}")
    assert [dead.job_id for dead in ledger.dead_jobs()] == ["job"]


def test_what_stood_in_an_entrys_place_is_kept(ledger: Ledger, client: redis.Redis) -> None:
    enqueue(ledger, "job")
    replace_by_text(client, f"{ledger.prefix}job:job")

    claim(ledger, "job")

    assert client.get(f"{ledger.prefix}corrupt:job") == b"not a hash"
    assert 0 < client.ttl(f"{ledger.prefix}corrupt:job") <= 7 * 24 * 3600


def test_one_flawed_lease_does_not_end_the_others(ledger: Ledger, client: redis.Redis) -> None:
    for job_id in ("sound", "spoilt"):
        enqueue(ledger, job_id)
    sound, spoilt = claim(ledger, "sound", 0.01), claim(ledger, "spoilt", 0.01)
    assert isinstance(sound, Claim)
    assert isinstance(spoilt, Claim)
    replace_by_text(client, f"{ledger.prefix}job:spoilt")

    assert ledger.renew([("spoilt", spoilt.token), ("sound", sound.token)], lease_s=0.01) == [
        "lost",
        "held",
    ]
    time.sleep(0.02)
    reconcile(ledger)

    assert (ledger.state("sound"), ledger.state("spoilt")) == ("queued", "failed")


def test_a_lease_of_an_unknown_worker_for_no_job_is_cleared(
    ledger: Ledger, client: redis.Redis
) -> None:
    enqueue(ledger, "waiting")
    client.zadd(f"{ledger.prefix}leases", {"nobody": 1, "waiting": 1})

    reconcile(ledger, grace_s=60)

    assert client.zcard(f"{ledger.prefix}leases") == 0
    assert ledger.state("waiting") == "queued"
    assert isinstance(claim(ledger, "waiting"), Claim)


def test_a_message_that_is_taken_and_never_claimed_is_given_up_in_the_end(
    ledger: Ledger, client: redis.Redis
) -> None:
    enqueue(ledger, "shunned")
    for _ in range(50):
        client.delete(f"{ledger.prefix}{BULK}")  # workers that do not know its task pop it
        time.sleep(0.002)
        reconcile(ledger)
        assert ledger.state("shunned") == "queued"

    client.delete(f"{ledger.prefix}{BULK}")
    time.sleep(0.002)
    reconcile(ledger)

    assert ledger.failure("shunned")[0] == "unclaimed"


def test_a_deadline_passes_even_when_no_worker_is_there(ledger: Ledger) -> None:
    enqueue(ledger, "late", within_s=0.01)
    enqueue(ledger, "patient")
    time.sleep(0.03)

    reconcile(ledger, grace_s=60)

    assert ledger.failure("late")[0] == "expired"
    assert ledger.state("patient") == "queued"


def test_a_clock_set_back_does_not_make_leases_last(ledger: Ledger, client: redis.Redis) -> None:
    enqueue(ledger, "job")
    assert isinstance(claim(ledger, "job", lease_s=0.05), Claim)
    reconcile(ledger, grace_s=60)
    client.hincrby(f"{ledger.prefix}clock", "offset", -3_600_000)
    reconcile(ledger, grace_s=60)  # notices

    time.sleep(0.1)
    reconcile(ledger, grace_s=60)

    assert ledger.state("job") == "queued"


@pytest.mark.parametrize("lease_ms", [7_200_000, None])
def test_who_held_a_role_before_the_clock_was_set_back_holds_it_no_more(
    ledger: Ledger, client: redis.Redis, lease_ms: int | None
) -> None:
    for role in ("leader", "reencoder"):
        client.set(f"{ledger.prefix}{role}", "gone", px=lease_ms)

    assert ledger.reconcile("me", leader_s=15, max_attempts=3, grace_s=60) is not None
    assert ledger.hold("reencoder", "me", lease_s=15)


def test_an_answer_lost_on_its_way_is_given_again(ledger: Ledger) -> None:
    enqueue(ledger, "job")
    first = ledger.claim("job", owner="me/1", lease_s=60, max_attempts=3)
    assert ledger.claim("job", owner="me/1", lease_s=60, max_attempts=3) == first
    assert ledger.claim("job", owner="me/2", lease_s=60, max_attempts=3) == Refused("running")
    assert isinstance(first, Claim)

    assert ledger.complete("job", first.token, ttl_s=60, result=b"r")
    assert ledger.complete("job", first.token, ttl_s=60, result=b"r")
    assert not ledger.complete("job", first.token + 1, ttl_s=60, result=b"r")


def test_a_huge_or_odd_id_in_a_message_leaves_the_reconciler_well(
    ledger: Ledger, client: redis.Redis, producer: Producer
) -> None:
    enqueue(ledger, "job")
    client.rpush(f"{ledger.prefix}{BULK}", b'{"properties": {"correlation_id": "' + b"x" * 100_000)
    client.rpush(f"{ledger.prefix}{BULK}", b"\xff\x00 no message at all")
    time.sleep(0.002)

    reconcile(ledger)

    assert ledger.state("job") == "queued"
