"""What the ledger costs: empty tasks through the fleet and through Celery as it comes.

Both sides run one worker process with the same pool at the same Redis, in turn. Producers are in
this process, so a round covers sending and working, as a scraper and its worker share a machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks import stock_celery
from benchmarks.measure import Row, seconds
from jobsentinel import Posting, Producer, Settings
from jobsentinel_workers.children import end_with_parent
from jobsentinel_workers.embedded import EmbeddedServer

ROUNDS, MESSAGES, SINGLES, CHUNK = 5, 1_000, 200, 64
THREADS = "4"

Send = Callable[[str], Any]


def run(folder: Path, postings: Sequence[Posting]) -> list[Row]:
    """Return messages a second, latency, and postings a second at 64 a message."""
    settings = Settings.load(data_dir=folder)
    with EmbeddedServer(settings) as server:
        settings = settings.model_copy(update={"redis_url": server.url})
        with (
            redis.Redis.from_url(server.url) as client,
            Producer(settings=settings) as producer,
            _worker("benchmarks.empty_fleet", "inference.interactive", server.url, folder),
            _worker("benchmarks.stock_celery", "stock", server.url, folder),
        ):
            send = stock_celery.make_app(server.url).tasks["stock.nothing"].delay
            return [
                *_messages(client, producer, send),
                *_latency(producer, send),
                *_carried(producer, postings),
            ]


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


def _messages(client: redis.Redis, producer: Producer, send: Send) -> list[Row]:
    def ours(round_number: int) -> None:
        for n in range(MESSAGES):
            producer.rerank("x", [], idempotency_key=f"{round_number}-{n}")
        _until(lambda: not any(producer.depths().values()))

    def peer(round_number: int) -> None:
        for n in range(MESSAGES):
            send(f"{round_number}-{n}")
        _until(lambda: not client.llen("stock") and not client.hlen("unacked"))

    ours(-1)
    peer(-1)
    pairs = [
        (seconds(lambda n=n: ours(n)), seconds(lambda n=n: peer(n)))  # type: ignore[misc]  # a default binds the loop's value
        for n in range(ROUNDS)
    ]
    mine = MESSAGES / statistics.median(ours_s for ours_s, _ in pairs)
    theirs = MESSAGES / statistics.median(peer_s for _, peer_s in pairs)
    return [
        Row("empty tasks, sent and worked", mine, "messages/s"),
        Row("the same by Celery as it comes", theirs, "messages/s"),
        Row("empty tasks over Celery as it comes", mine / theirs, "x", ">= 0.75"),
    ]


def _latency(producer: Producer, send: Send) -> list[Row]:
    def ours(n: int) -> None:
        producer.rerank("x", [], idempotency_key=f"single-{n}").result(30)

    def peer(n: int) -> None:
        send(str(n)).get(timeout=30)

    pairs = [
        (seconds(lambda n=n: ours(n)), seconds(lambda n=n: peer(n)))  # type: ignore[misc]  # a default binds the loop's value
        for n in range(SINGLES)
    ]
    mine_ms = 1e3 * statistics.median(ours_s for ours_s, _ in pairs)
    theirs_ms = 1e3 * statistics.median(peer_s for _, peer_s in pairs)
    return [
        Row("one empty task and its answer, p50", mine_ms, "ms"),
        Row("the same by Celery as it comes, p50", theirs_ms, "ms"),
        Row("what the ledger adds to it", mine_ms - theirs_ms, "ms", "< 2"),
    ]


def _carried(producer: Producer, postings: Sequence[Posting]) -> list[Row]:
    """Real postings with profiles that differ, so that each message is a new job."""
    batch = [postings[n % len(postings)] for n in range(CHUNK)]
    batch = [p.model_copy(update={"id": f"{n}"}) for n, p in enumerate(batch)]
    rounds = 50

    def send_and_work() -> None:
        for n in range(rounds):
            producer.score(batch, profile=f"profile {n}", queue="inference.interactive")
        _until(lambda: not any(producer.depths().values()))

    taken_s = seconds(send_and_work)
    return [Row(f"carried at {CHUNK} postings a message", rounds * CHUNK / taken_s, "postings/s")]
