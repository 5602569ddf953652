"""Full queues and used-up rates: a producer waits, raises, or keeps its jobs on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobsentinel import (
    ConfigurationError,
    IndexResult,
    Producer,
    QueueFull,
    RateLimited,
    Settings,
)
from jobsentinel.contract.tasks import BULK, INTERACTIVE
from jobsentinel.ledger import connect

MakeProducer = Callable[..., Producer]


@pytest.fixture
def narrow(settings: Settings) -> Settings:
    """Settings under which two messages may wait in a queue."""
    return settings.changed(max_queued_interactive=2, max_queued_bulk=2)


@pytest.fixture
def worker(settings: Settings, make_worker: Callable[[Settings], Any]) -> Any:
    """A worker that does what the test says."""
    return make_worker(settings)


def ask(producer: Producer, number: int) -> Any:
    return producer.rerank(f"query {number}", [], idempotency_key=f"key {number}")


def postings(count: int) -> Iterator[dict[str, str]]:
    return ({"id": f"p{number}", "title": "Nurse"} for number in range(count))


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is bound to come; the test's own timeout ends it if it does not."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def test_a_producer_waits_until_a_worker_makes_room(
    narrow: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    # Given a full queue, and a producer that has one more
    producer = make_producer(narrow)
    first, second = ask(producer, 0), ask(producer, 1)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(ask, producer, 2)

        # When a worker takes a message
        assert worker.take().job_id == first.job_id

        # Then the third is let in
        third = sending.result()
    assert worker.queued() == [second.job_id, third.job_id]


def test_a_producer_that_has_waited_too_long_raises(
    narrow: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    producer = make_producer(narrow.changed(full_timeout_s=0.05))
    accepted = [ask(producer, 0).job_id, ask(producer, 1).job_id]

    with pytest.raises(QueueFull, match=r"2 messages wait in inference\.interactive"):
        ask(producer, 2)

    assert worker.queued() == accepted


def test_a_producer_may_raise_at_once_and_send_when_there_is_room(
    narrow: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    # Given a full queue
    producer = make_producer(narrow, when_full="raise")
    ask(producer, 0)
    ask(producer, 1)

    # When one more is sent before and after a worker has taken a message
    with pytest.raises(QueueFull) as caught:
        ask(producer, 2)
    worker.take()
    third = ask(producer, 2)

    # Then it is in the queue once
    assert not isinstance(caught.value, RateLimited)
    assert worker.queued()[1:] == [third.job_id]


def test_a_producer_may_keep_on_disk_what_has_no_room(
    narrow: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    # Given a full queue, and two more jobs
    producer = make_producer(narrow, when_full="outbox")
    handles = [ask(producer, number) for number in range(4)]
    assert [handle.state() for handle in handles] == ["queued", "queued", "outbox", "outbox"]

    # When workers take what is there
    taken = [worker.take().job_id for _ in range(4)]

    # Then all of it comes, in order
    assert taken == [handle.job_id for handle in handles]


def test_a_full_queue_does_not_keep_jobs_from_another(
    narrow: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    # Given postings that wait on disk for room among the bulk jobs
    producer = make_producer(narrow, when_full="outbox")
    stream = producer.index(list(postings(3)), chunk_size=1)
    assert stream.jobs[-1].state() == "outbox"

    # When something urgent comes behind them
    urgent = ask(producer, 0)

    # Then it is not held up
    until(lambda: worker.queued(INTERACTIVE) == [urgent.job_id])
    assert stream.jobs[-1].state() == "outbox"


def test_waiting_producers_do_not_fill_the_disk_while_an_outbox_cannot_be_emptied(
    narrow: Settings, make_producer: MakeProducer
) -> None:
    # Given jobs on disk for which a full queue has no room
    earlier = make_producer(narrow, when_full="outbox")
    for number in range(4):
        ask(earlier, number)

    # When a producer that waits, and at last raises, has more
    producer = make_producer(narrow.changed(full_timeout_s=0.01))

    # Then it is not let by: the queue is full for it too
    def ask_on() -> None:
        for number in range(4, 10_000):
            ask(producer, number)

    with pytest.raises(QueueFull):
        ask_on()


def test_a_stream_that_was_refused_goes_on_where_it_was(
    narrow: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    # Given a stream of five jobs, for two of which there is room
    producer = make_producer(narrow, when_full="raise")
    stream = producer.index(postings(5), chunk_size=1)
    taken: list[str] = []

    # When it is sent again and again, while a worker takes message after message
    while len(taken) < 5:
        try:
            stream.send_all()
        except QueueFull:
            assert len(stream.jobs) < 5
        taken.append(worker.take(BULK).job_id)

    # Then every job was sent once
    assert taken == [job.job_id for job in stream.jobs]
    assert worker.queued(BULK) == []


def test_reading_a_stream_makes_the_room_that_it_needs(
    narrow: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    # Given a stream of five jobs, for two of which there is room, and a worker
    producer = make_producer(narrow, when_full="raise")
    stream = producer.index(postings(5), chunk_size=1)

    def work() -> None:
        for number in range(5):
            worker.answer(worker.take(BULK), IndexResult(indexed=number, unchanged=0))

    # When it is read
    with ThreadPoolExecutor() as pool:
        working = pool.submit(work)
        answers = [answer.indexed for answer in stream.items(timeout_s=120)]
        working.result()

    # Then nothing was refused, and nothing left out
    assert answers == [0, 1, 2, 3, 4]


def test_two_producers_of_one_name_share_a_rate(settings: Settings, worker: Any) -> None:
    # Given two producers of one name that send as fast as they can
    limited = settings.changed(producer_name="scraper", rate_limit_per_s=100)

    def send(first: int) -> list[str]:
        with Producer(settings=limited) as producer:
            return [ask(producer, number).job_id for number in range(first, first + 90)]

    with ThreadPoolExecutor() as pool:
        ids = [id_ for sent in pool.map(send, (0, 1_000)) for id_ in sent]

    # When the ledger is asked at which of its milliseconds each was let in
    with connect(settings.resolve_redis_url()) as client:
        found: Any = [client.hget(f"{settings.namespace}:job:{id_}", "created") for id_ in ids]
    let_in = sorted(map(int, found))

    # Then no job was let in before a second's worth less than what the rate allows
    assert len(let_in) == 180
    for before, at in enumerate(let_in):
        assert 1_000 * before <= 100 * (at - let_in[0] + 1_000)


def test_the_rate_counts_postings_and_another_name_has_its_own(
    settings: Settings, make_producer: MakeProducer
) -> None:
    # Given a rate of one in 100 seconds, and a job of 100 postings
    limited = settings.changed(producer_name="first", rate_limit_per_s=0.01, when_full="raise")
    producer = make_producer(limited)
    producer.index(list(postings(100)), chunk_size=100)

    # When more is sent under this name, and under another
    with pytest.raises(RateLimited) as caught:
        ask(producer, 0)
    other = ask(make_producer(limited, name="second"), 0)

    # Then the first has to wait for all of them, and the second does not
    assert 9_000 < caught.value.retry_after_s <= 10_000
    assert other.state() == "queued"


def test_a_wait_that_would_be_in_vain_is_not_begun(
    settings: Settings, make_producer: MakeProducer
) -> None:
    producer = make_producer(settings.changed(producer_name="slow", rate_limit_per_s=0.001))
    ask(producer, 0)

    with pytest.raises(RateLimited):
        ask(producer, 1)


def test_what_is_over_the_rate_may_wait_on_disk(
    settings: Settings, make_producer: MakeProducer, worker: Any
) -> None:
    # Given a rate of 50 a second and a burst of twice as much
    limited = settings.changed(producer_name="scraper", rate_limit_per_s=50)
    producer = make_producer(limited, when_full="outbox")
    handles = [ask(producer, number) for number in range(100)]

    # When the last has left the outbox
    until(lambda: handles[-1].state() == "queued")

    # Then all are there, in order
    assert worker.queued() == [handle.job_id for handle in handles]


def test_a_rate_without_a_name_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="set producer_name too"):
        settings.changed(rate_limit_per_s=1.0)


@pytest.mark.parametrize(
    "arguments", [{"when_full": "wait"}, {"when_away": "outbocks"}, {"name": "No Blanks"}]
)
def test_a_wrong_choice_is_named(settings: Settings, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="JOBSENTINEL_"):
        Producer(settings=settings, **arguments)


def test_none_in_the_environment_means_no_limit(
    monkeypatch: pytest.MonkeyPatch, make_producer: MakeProducer, settings: Settings
) -> None:
    monkeypatch.setenv("JOBSENTINEL_MAX_QUEUED_INTERACTIVE", "none")

    assert Settings.load().max_queued_interactive is None
    producer = make_producer(
        settings.changed(when_full="raise").model_copy(update={"max_queued_interactive": None})
    )
    assert ask(producer, 0).state() == "queued"
