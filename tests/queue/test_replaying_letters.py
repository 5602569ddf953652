"""Given-up jobs that are sent again, over a real ledger, a real store and the real job runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
from sqlalchemy import Connection

from jobsentinel import (
    AddLabelsResult,
    InvalidInput,
    JobFailed,
    Producer,
    QueueUnavailable,
    Settings,
)
from jobsentinel.contract import wire
from jobsentinel.contract.base import CONTRACT_VERSION, Message
from jobsentinel.contract.requests import RerankRequest
from jobsentinel.contract.tasks import BULK, INTERACTIVE, QUEUES, TASKS, TRAINING
from jobsentinel.handles import JobHandle
from jobsentinel.ledger import Claim, Ledger, connect
from jobsentinel_workers.jobs.context import Answer, JobContext
from jobsentinel_workers.jobs.leases import LeaseKeeper
from jobsentinel_workers.jobs.lifecycle import JobRunner
from jobsentinel_workers.jobs.reconciler import Reconciler
from jobsentinel_workers.jobs.replaying import pages, read, replay, send
from jobsentinel_workers.store import Database, dead_letters, labels
from jobsentinel_workers.store.dead_letters import ALL, DeadLetter, LetterFilter

LABEL = {"posting_id": "p", "kind": "scam", "value": True}
RERANK = wire.encode_request(TASKS["rerank"], RerankRequest.parse({"query": "cook"}))
Handle = Callable[[Message, JobContext], Answer]
Job = JobHandle[AddLabelsResult]


@pytest.fixture
def work(
    settings: Settings, producer: Producer, database: Database
) -> Iterator[Callable[..., bytes]]:
    """Run a job with the handler given, as a worker of the fleet would."""
    keeper = LeaseKeeper(producer.ledger, settings.lease_s)

    def run(job_id: str, handler: Handle) -> bytes:
        runner = JobRunner(
            settings=settings,
            ledger=producer.ledger,
            leases=keeper,
            database=database,
            handlers={"add_labels": handler},
            owner="test",
        )
        return runner.run(job_id)

    yield run
    keeper.stop()


@pytest.fixture
def bury(settings: Settings, producer: Producer, database: Database) -> Callable[[], None]:
    """Let a reconciler write what was given up into the store."""
    return Reconciler(settings, producer.ledger, database, "r").turn


@pytest.fixture
def job(producer: Producer) -> Job:
    return producer.add_labels([LABEL])


@pytest.fixture
def given_up(job: Job, work: Any, bury: Any) -> Job:
    """A job that could not work, with its dead letter in the store."""
    with pytest.raises(JobFailed):
        work(job.job_id, refusing("the first failure"))
    bury()
    return job


def refusing(error: str) -> Handle:
    def handle(message: Message, context: JobContext) -> Answer:
        raise InvalidInput("labels.0", error)

    return handle


def storing(message: Message, context: JobContext) -> Answer:
    def store(connection: Connection) -> Message:
        stored = labels.add(connection, [LABEL], job_id=context.job_id)
        return AddLabelsResult(stored=stored, unchanged=1 - stored)

    return Answer(AddLabelsResult(stored=0, unchanged=1), store)


def letter_of(database: Database, job_id: str) -> DeadLetter | None:
    with database.connect() as connection:
        return dead_letters.get(connection, job_id)


def keep_letter(database: Database, job_id: str = "rerank-1", **changes: Any) -> None:
    """Put a letter into the store of whose job the ledger knows nothing."""
    given = {
        "task": "rerank",
        "queue": INTERACTIVE,
        "payload": RERANK,
        "reason": "attempts",
        "error": "RuntimeError: out of memory",
        "traceback": "Traceback ...",
        "attempts": 3,
    }
    with database.begin() as connection:
        dead_letters.add(connection, job_id=job_id, **{**given, **changes})


def waiting(ledger: Ledger) -> dict[str, int]:
    depths = ledger.depths(QUEUES)
    return {queue: depths[queue] for queue in QUEUES if depths[queue]}


def test_a_job_whose_cause_is_mended_is_done_once_and_leaves_no_letter(
    given_up: Job, work: Any, producer: Producer, database: Database
) -> None:
    # Given a job that was given up
    job_id = given_up.job_id
    assert letter_of(database, job_id) is not None

    # When it is replayed and works this time
    assert replay(database, producer.ledger, job_id) == "failed"
    assert given_up.state() == "queued"
    work(job_id, storing)

    # Then its answer is there once, and its letter is gone
    assert given_up.result(5).stored == 1
    with database.connect() as connection:
        assert labels.count_by_kind(connection) == {"scam": 1}
        assert dead_letters.count(connection) == 0
    assert producer.ledger.depths([])["dead"] == 0


def test_a_replayed_job_begins_anew(given_up: Job, producer: Producer, database: Database) -> None:
    replay(database, producer.ledger, given_up.job_id)

    assert producer.ledger.failure(given_up.job_id) == ("unknown", "")
    claim = producer.ledger.claim(given_up.job_id, owner="me", lease_s=30, max_attempts=3)
    assert isinstance(claim, Claim)
    assert (claim.attempt, claim.left_s, claim.payload_is_intact()) == (1, None, True)


def test_a_job_that_the_ledger_has_forgotten_is_sent_too(
    producer: Producer, database: Database
) -> None:
    keep_letter(database)

    assert replay(database, producer.ledger, "rerank-1") == "new"

    assert producer.ledger.state("rerank-1") == "queued"
    assert waiting(producer.ledger) == {INTERACTIVE: 1}
    assert letter_of(database, "rerank-1") is None


def test_a_replay_that_stopped_half_way_is_finished_by_the_next(
    given_up: Job, producer: Producer, database: Database
) -> None:
    # Given a replay whose process died after the job was sent
    send(producer.ledger, read(database, given_up.job_id))
    before = waiting(producer.ledger)

    # When it is replayed again
    was = replay(database, producer.ledger, given_up.job_id)

    # Then nothing is sent twice, and the letter is gone
    assert was == "queued"
    assert waiting(producer.ledger) == before
    assert letter_of(database, given_up.job_id) is None


def test_a_second_replay_finds_no_letter(
    given_up: Job, producer: Producer, database: Database
) -> None:
    replay(database, producer.ledger, given_up.job_id)
    before = waiting(producer.ledger)

    with pytest.raises(InvalidInput, match="dead letter: there is none"):
        replay(database, producer.ledger, given_up.job_id)

    assert waiting(producer.ledger) == before


def test_a_job_that_was_done_meanwhile_keeps_its_answer(
    given_up: Job, work: Any, producer: Producer, database: Database
) -> None:
    # Given a job that was sent again and done, and an old letter that came late
    letter = read(database, given_up.job_id)
    send(producer.ledger, letter)
    work(given_up.job_id, storing)
    assert letter_of(database, given_up.job_id) is None
    keep_letter(database, letter.job_id, task=letter.task, payload=letter.payload)

    # When that is replayed
    was = replay(database, producer.ledger, given_up.job_id)

    # Then there is nothing left to do
    assert was == "done"
    assert given_up.result(5).stored == 1
    assert letter_of(database, given_up.job_id) is None


def test_a_job_given_up_again_while_it_is_replayed_keeps_its_newer_letter(
    given_up: Job, work: Any, bury: Any, producer: Producer, database: Database
) -> None:
    # Given a replay that has sent the job, which failed at once for another reason
    letter = read(database, given_up.job_id)
    send(producer.ledger, letter)
    with pytest.raises(JobFailed):
        work(given_up.job_id, refusing("the second failure"))
    bury()

    # When the replay comes to forgetting the letter it has read
    with database.begin() as connection:
        dead_letters.delete(connection, given_up.job_id, created_at=letter.created_at)

    # Then the newer letter is there, and can be replayed as the first
    newer = letter_of(database, given_up.job_id)
    assert newer is not None
    assert newer.error == "labels.0: the second failure"
    assert replay(database, producer.ledger, given_up.job_id) == "failed"
    work(given_up.job_id, storing)
    assert given_up.result(5).stored == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"payload": b""}, "payload: is empty"),
        ({"payload": b"\xc1 broken"}, "payload: is not msgpack"),
        ({"payload": RERANK[:-3]}, "payload: is not msgpack"),
        ({"payload": msgpack.packb({"v": 99})}, "v: is 99"),
        (
            {"payload": msgpack.packb({"v": CONTRACT_VERSION, "task": "rerank", "request": {}})},
            "query",
        ),
        ({"task": "fly"}, "task: is 'fly'"),
        ({"task": ""}, "task: is ''"),
        ({"task": "score", "queue": BULK}, "payload: is a request for rerank, not for score"),
        ({"queue": ""}, "queue: is ''"),
        ({"queue": TRAINING}, "queue: is 'training'"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_kept(
    producer: Producer, database: Database, changes: dict[str, Any], says: str
) -> None:
    keep_letter(database, **changes)

    with pytest.raises(InvalidInput, match=f"^{says}"):
        replay(database, producer.ledger, "rerank-1")

    assert letter_of(database, "rerank-1") is not None
    assert producer.ledger.state("rerank-1") == "unknown"
    assert waiting(producer.ledger) == {}


def test_a_job_moves_to_another_queue_of_its_pool_only(
    producer: Producer, database: Database
) -> None:
    keep_letter(database)

    with pytest.raises(InvalidInput, match="cannot wait"):
        replay(database, producer.ledger, "rerank-1", queue=TRAINING)
    replay(database, producer.ledger, "rerank-1", queue=BULK)

    assert waiting(producer.ledger) == {BULK: 1}


def test_while_redis_is_away_every_letter_stays(database: Database) -> None:
    keep_letter(database)
    nowhere = Ledger(connect("redis://127.0.0.1:1/0"))

    with pytest.raises(QueueUnavailable):
        replay(database, nowhere, "rerank-1")

    assert letter_of(database, "rerank-1") is not None


@pytest.mark.parametrize(("limit", "sizes"), [(None, [500, 500, 1]), (501, [500, 1]), (2, [2])])
def test_many_letters_come_in_pages_oldest_first(
    database: Database, limit: int | None, sizes: list[int]
) -> None:
    # Given more letters than two pages hold
    with database.begin() as connection:
        for number in range(1001):
            dead_letters.add(
                connection,
                job_id=f"job-{number}",
                task="rerank",
                queue=INTERACTIVE,
                payload=b"",
                reason="attempts",
                created_at=f"2026-11-22T12:00:00.{number:06}Z",
            )

    # When they are walked over
    walked = list(pages(database, ALL, limit=limit))

    # Then each comes once, in its turn
    assert [len(page) for page in walked] == sizes
    ids = [key.job_id for page in walked for key in page]
    assert ids == [f"job-{number}" for number in range(sum(sizes))]


def test_a_walk_up_to_a_time_ends_although_each_job_is_given_up_again(
    producer: Producer, database: Database
) -> None:
    # Given letters of which each comes back as soon as its job is replayed
    for number in range(3):
        keep_letter(database, f"rerank-{number}", created_at="2026-11-22T12:00:00Z")
    replayed = []

    # When they are walked over up to the time of the newest
    for page in pages(database, LetterFilter(until="2026-11-22T12:00:00Z")):
        for job_id, _ in page:
            replayed.append(job_id)
            replay(database, producer.ledger, job_id)
            keep_letter(database, job_id)

    # Then each was met once
    assert replayed == ["rerank-0", "rerank-1", "rerank-2"]
