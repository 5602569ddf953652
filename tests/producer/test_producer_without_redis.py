"""A producer whose Redis goes away and comes back: nothing is lost, and the order is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobsentinel import (
    IndexResult,
    JobCancelled,
    Producer,
    QueueUnavailable,
    ResultTimeout,
    Settings,
)
from jobsentinel.cli.waiting import LOOK_S, Answers, wait_for
from jobsentinel.contract.tasks import BULK
from jobsentinel.job_ids import job_id_for

MakeProducer = Callable[..., Producer]
MakeWorker = Callable[[Settings], Any]


@pytest.fixture
def away(settings: Settings) -> Settings:
    """Settings of a Redis that is not there."""
    return settings.changed(redis_url="redis://127.0.0.1:1/0")


def messages_of(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    told = [record.getMessage() for record in caplog.records]
    return [message for message in told if message.startswith(event)]


def ask(producer: Producer, number: int) -> Any:
    return producer.rerank(f"query {number}", [], idempotency_key=f"key {number}")


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is bound to come; the test's own timeout ends it if it does not."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def test_jobs_sent_while_redis_is_away_follow_in_order_when_it_is_back(
    server: Any,
    make_producer: MakeProducer,
    make_worker: MakeWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a producer that has sent a job, and a server that then goes away
    producer = make_producer(server.settings)
    handles = [ask(producer, 0)]
    server.stop()

    # When more is sent, and the server comes back
    handles += [ask(producer, number) for number in range(1, 40)]
    assert {handle.state() for handle in handles[1:]} == {"outbox"}
    server.start()
    until(lambda: handles[-1].state() == "queued")

    # Then every job is in the queue once and in order, and the log has one line for each turn
    worker = make_worker(server.settings)
    assert worker.queued() == [handle.job_id for handle in handles]
    until(lambda: bool(messages_of(caplog, "outbox.empty")))
    (filling,) = messages_of(caplog, "outbox.filling")
    assert str(server.settings.outbox_file) in filling
    assert "Redis cannot be reached" in filling
    assert len(messages_of(caplog, "outbox.empty")) == 1


def test_a_server_that_refuses_to_write_is_as_good_as_away(
    server: Any, make_producer: MakeProducer
) -> None:
    # Given a full server
    producer = make_producer(server.settings)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        handle = ask(producer, 0)
        assert handle.state() == "outbox"

        # When it has room again
        client.config_set("maxmemory", 0)

        # Then the job follows
        until(lambda: handle.state() == "queued")


def test_an_answer_is_waited_for_through_the_outbox(
    server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given somebody who waits for the answer to a job in the outbox
    producer = make_producer(server.settings)
    server.stop()
    handle = ask(producer, 0)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(handle.result, 120)

        # When the server comes back and a worker answers
        server.start()
        worker = make_worker(server.settings)
        worker.answer(worker.take())

        # Then the answer is there
        assert waiting.result().candidates == 0


def test_a_stream_goes_through_the_outbox_and_keeps_its_order(
    server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given a stream of three jobs that was sent while Redis was away
    producer = make_producer(server.settings)
    server.stop()
    postings = [{"id": f"p{number}", "title": "Nurse"} for number in range(3)]
    stream = producer.index(postings, chunk_size=1)
    assert stream.state() == "outbox"
    assert stream.progress() == {"sent": 3, "closed": 0}

    # When the server is back and each is answered with its number
    server.start()
    worker = make_worker(server.settings)
    for number in range(3):
        worker.answer(worker.take(BULK), IndexResult(indexed=number, unchanged=0))

    # Then the answers come in the order sent
    assert [answer.indexed for answer in stream.result(timeout_s=60)] == [0, 1, 2]


def test_waiting_outlasts_a_server_that_is_started_anew(
    server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given somebody who waits for the answer to a job that is queued
    producer = make_producer(server.settings)
    handle = ask(producer, 0)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(handle.result, 120)
        with server.client() as client:
            until(lambda: bool(client.pubsub_channels()))

        # When the server goes away and comes back, and a worker answers
        server.stop()
        server.start()
        worker = make_worker(server.settings)
        worker.answer(worker.take())

        # Then the answer is there
        assert waiting.result().candidates == 0


def test_a_dropped_subscription_is_no_error(
    server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given somebody who is subscribed to the end of a job
    producer = make_producer(server.settings)
    handle = ask(producer, 0)
    worker = make_worker(server.settings)
    with ThreadPoolExecutor() as pool, server.client() as client:
        waiting = pool.submit(handle.result, 120)
        until(lambda: bool(client.pubsub_channels()))

        # When the connection is cut and the job is done
        client.client_kill_filter(_type="pubsub")
        worker.answer(worker.take())

        # Then the answer is there
        assert waiting.result().candidates == 0


def test_waiting_ends_with_the_time_given(away: Settings, make_producer: MakeProducer) -> None:
    # Given a job in the outbox, and one that is not and whose Redis is away
    producer = make_producer(away)
    handle = ask(producer, 0)
    other = producer.handle("rerank-elsewhere", "rerank")

    # Then the first is still to be sent, and of the other nothing can be known
    with pytest.raises(ResultTimeout, match="still waits in the outbox"):
        handle.result(timeout_s=0.05)
    with pytest.raises(QueueUnavailable):
        other.result(timeout_s=0.05)


def test_a_job_in_the_outbox_can_be_cancelled(
    server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given two jobs in the outbox
    producer = make_producer(server.settings)
    server.stop()
    dropped, other = ask(producer, 0), ask(producer, 1)

    # When one is cancelled, by a handle made from its id
    assert producer.handle(dropped.job_id, "rerank").cancel() == "outbox"

    # Then only the other one is sent
    server.start()
    until(lambda: other.state() == "queued")
    assert make_worker(server.settings).queued() == [other.job_id]
    assert dropped.state() == "unknown"


def test_the_handle_that_cancelled_a_job_knows_it(
    away: Settings, make_producer: MakeProducer
) -> None:
    handle = ask(make_producer(away), 0)

    handle.cancel()

    assert handle.state() == "cancelled"
    with pytest.raises(JobCancelled):
        handle.result()


def test_a_producer_may_raise_instead(away: Settings, make_producer: MakeProducer) -> None:
    producer = make_producer(away, when_away="raise")

    with pytest.raises(QueueUnavailable):
        ask(producer, 0)
    with pytest.raises(QueueUnavailable):
        producer.score([{"id": "p", "title": "Nurse"}])

    assert not away.outbox_file.exists()


def test_closing_says_what_stays_and_the_next_producer_sends_it(
    server: Any,
    make_producer: MakeProducer,
    make_worker: MakeWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a producer that was closed while Redis was away
    server.stop()
    producer = make_producer(server.settings)
    ids = [ask(producer, number).job_id for number in range(3)]
    producer.close()
    (left,) = messages_of(caplog, "outbox.left")
    for part in ("jobs=3", str(server.settings.outbox_file), "`jobsentinel outbox flush`"):
        assert part in left

    # When another one is made after Redis is back, and sends nothing itself
    server.start()
    make_producer(server.settings)

    # Then the jobs follow
    worker = make_worker(server.settings)
    until(lambda: worker.queued() == ids)


def test_a_new_job_goes_behind_those_that_wait_although_redis_is_back(
    server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given jobs that an earlier producer has left
    server.stop()
    with Producer(settings=server.settings) as earlier:
        ids = [ask(earlier, number).job_id for number in range(200)]
    server.start()

    # When a new one sends at once
    producer = make_producer(server.settings)
    handle = ask(producer, 200)

    # Then its job comes last
    until(lambda: handle.state() == "queued")
    assert make_worker(server.settings).queued() == [*ids, handle.job_id]


def test_closing_sends_what_can_be_sent(server: Any, make_worker: MakeWorker) -> None:
    # Given a job that waits in the outbox, and Redis back
    with Producer(settings=server.settings) as producer:
        server.stop()
        handle = ask(producer, 0)
        server.start()

    # Then it was sent before the producer was gone
    assert make_worker(server.settings).queued() == [handle.job_id]


def test_the_models_seen_last_name_a_job_while_redis_is_away(
    server: Any, make_producer: MakeProducer
) -> None:
    # Given a producer that has seen which models serve
    producer = make_producer(server.settings)
    producer.ledger.publish_models_generation("two models")
    seen = producer.rerank("a query", [])

    # When it asks the same again without Redis
    server.stop()
    again = producer.rerank("a query", [])

    # Then it is the same job
    assert again.job_id == seen.job_id


def test_a_key_of_the_callers_needs_no_look_at_the_models(
    server: Any, make_producer: MakeProducer
) -> None:
    # Given a server that counts
    producer = make_producer(server.settings)
    with server.client() as client:
        client.config_resetstat()

        # When a request with a key is sent, and one without
        keyed = producer.rerank("a query", [], idempotency_key="mine")
        reads_with_key = client.info("commandstats").get("cmdstat_get")
        producer.rerank("a query", [])

        # Then only the other one has read which models serve
        assert reads_with_key is None
        assert client.info("commandstats")["cmdstat_get"]["calls"] == 1
    assert keyed.job_id == job_id_for("rerank", "mine", b"", "", always_new=False)


def test_a_command_goes_on_waiting_while_the_server_is_started_anew(
    server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given commands that wait for an answer and for a stream, looking at the clock all the time
    producer = make_producer(server.settings, when_away="raise")
    handle, stream = ask(producer, 0), producer.index([{"id": "p", "title": "Nurse"}])
    told_to_wait = threading.Event()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(wait_for, handle, timeout_s=120, on_wait=told_to_wait.set)
        reading = pool.submit(lambda: list(Answers(stream, timeout_s=120)))
        told_to_wait.wait(timeout=120)

        # When the server goes away for longer than between two looks, and comes back
        server.stop()
        time.sleep(2 * LOOK_S)
        server.start()
        worker = make_worker(server.settings)
        worker.answer(worker.take())
        worker.answer(worker.take(), IndexResult(indexed=1, unchanged=0))

        # Then both get what they waited for
        assert waiting.result().candidates == 0
        assert [answer.indexed for answer in reading.result()] == [1]
