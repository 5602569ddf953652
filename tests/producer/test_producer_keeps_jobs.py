"""Jobs that are kept on disk until they are done outlive a server that loses everything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobsentinel import Producer, QueueFull, QueueUnavailable, Settings
from jobsentinel.flushing import outbox_of

MakeProducer = Callable[..., Producer]
MakeWorker = Callable[[Settings], Any]


@pytest.fixture
def keeping(server: Any) -> Settings:
    """Settings under which jobs are kept, and looked after often."""
    changed: Settings = server.settings.changed(keep_until_done=True, outbox_check_s=0.1)
    return changed


def ask(producer: Producer, number: int) -> Any:
    return producer.rerank(f"query {number}", [], idempotency_key=f"key {number}")


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is bound to come; the test's own timeout ends it if it does not."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def counts(settings: Settings) -> tuple[int, int]:
    outbox = outbox_of(settings)
    held = outbox.contents()
    outbox.close()
    return held.waiting, held.kept


def test_jobs_are_sent_again_when_the_server_was_emptied(
    keeping: Settings,
    server: Any,
    make_producer: MakeProducer,
    make_worker: MakeWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given jobs that were sent, one of which is done
    producer = make_producer(keeping)
    handles = [ask(producer, number) for number in range(6)]
    worker = make_worker(keeping)
    worker.answer(worker.take())
    until(lambda: counts(keeping) == (0, 5))

    # When the server loses everything
    server.empty()

    # Then what was not done is queued again in its order, and the log names it
    until(lambda: len(worker.queued()) == 5)
    assert worker.queued() == [handle.job_id for handle in handles[1:]]
    told = [r.getMessage() for r in caplog.records if "outbox.sent_again" in r.getMessage()]
    assert sum(int(line.split("jobs=")[1].split()[0]) for line in told) == 5
    assert handles[1].job_id in told[0]


def test_an_answer_is_waited_for_through_the_loss(
    keeping: Settings, server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given somebody who waits for the answer to a kept job
    producer = make_producer(keeping)
    handle = ask(producer, 0)
    worker = make_worker(keeping)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(handle.result, 120)
        with server.client() as client:
            until(lambda: bool(client.pubsub_channels()))

        # When the server loses it, and a worker answers it after that
        server.empty()
        until(lambda: bool(worker.queued()))
        worker.answer(worker.take())

        # Then the answer is there, and nothing is kept any longer
        assert waiting.result().candidates == 0
    until(lambda: counts(keeping) == (0, 0))


def test_a_later_process_looks_after_what_an_earlier_one_has_kept(
    keeping: Settings, server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given a process that has ended, and a server that has lost its job since
    with Producer(settings=keeping) as earlier:
        handle = ask(earlier, 0)
    server.empty()

    # When another process with the same data folder comes, which keeps nothing itself
    make_producer(server.settings)

    # Then the job is back
    worker = make_worker(keeping)
    until(lambda: worker.queued() == [handle.job_id])


def test_what_is_kept_and_lost_counts_as_in_the_outbox(
    keeping: Settings, server: Any, make_producer: MakeProducer
) -> None:
    # Given a kept job that the server has lost, and nobody who sends it again
    with Producer(settings=keeping) as earlier:
        job_id = ask(earlier, 0).job_id
    server.empty()
    handle = make_producer(server.settings, when_away="raise").handle(job_id, "rerank")
    assert handle.state() == "outbox"

    # When it is cancelled
    assert handle.cancel() == "outbox"

    # Then it is kept no longer
    assert counts(keeping) == (0, 0)
    assert handle.state() == "cancelled"


def test_jobs_that_have_ended_are_gone_when_the_producer_closes(
    keeping: Settings, make_worker: MakeWorker
) -> None:
    worker = make_worker(keeping)
    with Producer(settings=keeping.changed(outbox_check_s=3_600.0)) as producer:
        handle = ask(producer, 0)
        worker.answer(worker.take())
        handle.result(timeout_s=60)

    assert counts(keeping) == (0, 0)


def test_a_job_is_written_down_before_it_is_sent(
    keeping: Settings, server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given no server
    server.stop()
    handle = ask(make_producer(keeping), 0)
    assert counts(keeping) == (1, 0)

    # When it is back
    server.start()
    until(lambda: handle.state() == "queued")

    # Then the job is kept on
    assert counts(keeping) == (0, 1)


def test_what_was_refused_is_not_kept(
    keeping: Settings, server: Any, make_producer: MakeProducer, make_worker: MakeWorker
) -> None:
    # Given a producer that raises, whatever happens
    producer = make_producer(
        keeping.changed(max_queued_interactive=1), when_full="raise", when_away="raise"
    )
    accepted = ask(producer, 0)

    # When its queue is full, and when Redis is away
    with pytest.raises(QueueFull):
        ask(producer, 1)
    server.stop()
    with pytest.raises(QueueUnavailable):
        ask(producer, 2)

    # Then only what was accepted is on disk
    server.start()
    assert counts(keeping) == (0, 1)
    assert make_worker(keeping).queued() == [accepted.job_id]
