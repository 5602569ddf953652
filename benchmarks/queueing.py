"""What the ledger costs: empty tasks through the fleet and through Celery as it comes.

Both sides run one worker process with the same pool at the same Redis, in turn. Producers are in
this process, so a round covers sending and working, as a scraper and its worker share a machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks import stock_celery
from benchmarks.fleets import new_settings
from benchmarks.measure import Row, in_turn, seconds, times_as_fast
from benchmarks.options import Options
from jobsentinel import Posting, Producer
from jobsentinel_workers.children import end_with_parent
from jobsentinel_workers.embedded import EmbeddedServer

ROUNDS, MESSAGES, SINGLES, CHUNK = 5, 1_000, 200, 64
CARRIED = 50
THREADS = "4"
CARRY = f"carried at {CHUNK} postings a message"

Send = Callable[[str], Any]


def run(options: Options) -> Iterator[Row]:
    """Yield messages a second, latency, and postings a second at 64 a message."""
    with new_settings() as settings, EmbeddedServer(settings) as server:
        folder, url = settings.data_dir, server.url
        with (
            redis.Redis.from_url(url) as client,
            Producer(settings=settings.changed(redis_url=url)) as producer,
            _worker("benchmarks.empty_fleet", "inference.interactive", url, folder),
            _worker("benchmarks.stock_celery", "stock", url, folder),
        ):
            send = stock_celery.make_app(url).tasks["stock.nothing"].delay
            yield from _messages(client, producer, send, options.size(MESSAGES, 20))
            yield from _latency(producer, send, options.size(SINGLES, 5))
            yield from _carried(producer, options.postings, options.size(CARRIED, 2))


@contextmanager
def _worker(app: str, queues: str, url: str, folder: Path) -> Iterator[None]:
    arguments = ["-A", app, "worker", "-Q", queues, "-P", "threads", "-c", THREADS, "-n"]
    command = [sys.executable, "-m", "celery", *arguments, f"{app}@%h", "-E"]
    environment = {
        **os.environ,
        "JOBSENTINEL_REDIS_URL": url,
        "JOBSENTINEL_DATA_DIR": str(folder),
    }
    with (folder / f"{app}.log").open("wb") as log:
        worker = subprocess.Popen(
            command,
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
        )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(60)


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.005)


def _messages(client: redis.Redis, producer: Producer, send: Send, messages: int) -> Iterator[Row]:
    def ours(round_number: int) -> None:
        for n in range(messages):
            producer.rerank("x", [], idempotency_key=f"{round_number}-{n}")
        _until(lambda: not any(producer.depths().values()))

    def peer(round_number: int) -> None:
        for n in range(messages):
            send(f"{round_number}-{n}")
        _until(lambda: not client.llen("stock") and not client.hlen("unacked"))

    mine, theirs = in_turn(ROUNDS, ours, peer, warm_up=True)
    yield from mine.rates("empty tasks, sent and worked", messages, "messages/s")
    yield from theirs.rates("the same by Celery as it comes", messages, "messages/s")
    yield times_as_fast("empty tasks over Celery as it comes", mine, theirs, ">= 0.75")


def _latency(producer: Producer, send: Send, singles: int) -> Iterator[Row]:
    mine, theirs = in_turn(
        singles,
        lambda n: producer.rerank("x", [], idempotency_key=f"single-{n}").result(30),
        lambda n: send(str(n)).get(timeout=30),
    )
    yield from mine.rows("one empty task and its answer")
    yield from theirs.rows("the same by Celery as it comes")
    yield Row("what the ledger adds to it", mine.p50 - theirs.p50, "ms", "< 2")


def _carried(producer: Producer, postings: Sequence[Posting], rounds: int) -> Iterator[Row]:
    """Real postings with profiles that differ, so that each message is a new job."""
    batch = [postings[n % len(postings)] for n in range(CHUNK)]
    batch = [p.model_copy(update={"id": f"{n}"}) for n, p in enumerate(batch)]

    def send_and_work() -> None:
        for n in range(rounds):
            producer.score(batch, profile=f"profile {n}", queue="inference.interactive")
        _until(lambda: not any(producer.depths().values()))

    taken_s = seconds(send_and_work)
    yield Row(CARRY, rounds * CHUNK / taken_s, "postings/s")
