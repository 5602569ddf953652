"""What the workers do while Redis is away, unsafe, a replica, or empty: real servers, real workers.

Restarts, dropped connections and freezes under load are in `tests/chaos`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from worker_processes import StartWorker

from jobsentinel import Producer, Settings
from jobsentinel_workers.embedded import EmbeddedServer

HERE = str(Path(__file__).parent)
QUEUES = "inference.interactive,inference.bulk"


@pytest.fixture
def own_server(tmp_path: Path, settings: Settings) -> Iterator[EmbeddedServer]:
    """A server that a test may break."""
    folder = settings.model_copy(update={"data_dir": tmp_path / "server", "redis_url": None})
    with EmbeddedServer(folder) as server:
        yield server


@pytest.fixture
def own_settings(settings: Settings, own_server: EmbeddedServer) -> Settings:
    return settings.model_copy(update={"redis_url": own_server.url})


def log_of(settings: Settings) -> str:
    return (settings.data_dir / "inference.interactive.log").read_text("utf-8")


def wait_for_log(settings: Settings, text: str, timeout_s: float = 60) -> None:
    wait_until(lambda: text in log_of(settings), lambda: log_of(settings), timeout_s)


def wait_until(
    holds: Callable[[], bool], evidence: Callable[[], object], timeout_s: float = 60
) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, evidence()
        time.sleep(0.05)


def work_through(settings: Settings, name: str) -> None:
    with Producer(settings=settings) as producer:
        (score,) = producer.score([{"id": name, "title": name}]).result(timeout_s=90)
    assert score.posting_id == name


def test_a_server_that_may_drop_jobs_is_refused(
    own_settings: Settings, own_server: EmbeddedServer, start_worker: StartWorker
) -> None:
    with redis.Redis.from_url(own_server.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")

    worker = start_worker(own_settings, QUEUES, app="light_app", PYTHONPATH=HERE)

    assert worker.wait(timeout=60) == 1
    assert "maxmemory-policy is allkeys-lru" in log_of(own_settings)


def test_a_worker_waits_for_a_server_that_is_not_there_yet(
    own_settings: Settings, own_server: EmbeddedServer, start_worker: StartWorker
) -> None:
    own_server.stop()
    start_worker(own_settings, QUEUES, app="light_app", PYTHONPATH=HERE)
    wait_for_log(own_settings, "redis.waiting")

    own_server.start()

    work_through(own_settings, "late")


def test_a_worker_that_waits_for_a_server_can_be_stopped(
    own_settings: Settings, own_server: EmbeddedServer, start_worker: StartWorker
) -> None:
    own_server.stop()
    worker = start_worker(own_settings, QUEUES, app="light_app", PYTHONPATH=HERE)
    wait_for_log(own_settings, "redis.waiting")

    worker.terminate()

    assert worker.wait(timeout=30) == -signal.SIGTERM


def test_a_server_that_became_a_replica_is_outlived(
    own_settings: Settings,
    own_server: EmbeddedServer,
    redis_server: EmbeddedServer,
    start_worker: StartWorker,
) -> None:
    worker = start_worker(own_settings, QUEUES, app="light_app", PYTHONPATH=HERE)
    work_through(own_settings, "before")
    with redis.Redis.from_url(own_server.url) as client:
        # Of a master that never answers, so that its data stays.
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        wait_for_log(own_settings, "redis_away")

        client.execute_command("REPLICAOF", "NO", "ONE")

    work_through(own_settings, "after")
    assert worker.poll() is None


def test_an_emptied_server_is_named_with_what_was_in_it(
    own_settings: Settings, own_server: EmbeddedServer, start_worker: StartWorker
) -> None:
    start_worker(own_settings, QUEUES, app="light_app", PYTHONPATH=HERE)
    work_through(own_settings, "before")
    with Producer(settings=own_settings) as producer:
        producer.fine_tune("lost", [{"text": f"t{n}", "label": str(n % 2)} for n in range(8)])
    time.sleep(2 * own_settings.reconcile_interval_s)

    with redis.Redis.from_url(own_server.url) as client:
        client.flushall()

    wait_for_log(own_settings, "ledger.emptied")
    line = next(line for line in log_of(own_settings).splitlines() if "ledger.emptied" in line)
    assert '"training": 1' in line
    assert "CRITICAL" in line
    work_through(own_settings, "after")


def test_a_consumer_that_went_deaf_is_noticed_and_restarted(
    settings: Settings, start_worker: StartWorker
) -> None:
    watched = settings.model_copy(update={"watchdog_s": 2.0})
    worker = start_worker(watched, QUEUES, app="light_app", PYTHONPATH=HERE, LIGHT_APP_DEAF="once")
    wait_for_log(watched, "ready.")
    for name in ("heard", "unheard", "waiting"):
        work_through(watched, name)

    log = log_of(watched)
    assert "watchdog.stalled queues=inference.interactive then=_restart_consumer" in log
    assert "the watchdog restarts the consumer" in log
    assert worker.poll() is None


def test_a_consumer_that_stays_deaf_is_cut_off_and_then_the_worker_ends(
    settings: Settings, start_worker: StartWorker
) -> None:
    watched = settings.model_copy(update={"watchdog_s": 2.0})
    worker = start_worker(
        watched, QUEUES, app="light_app", PYTHONPATH=HERE, LIGHT_APP_DEAF="always"
    )
    wait_for_log(watched, "ready.")
    with Producer(settings=watched) as producer:
        (job,) = producer.score([{"id": "a", "title": "Cook"}]).jobs

        assert worker.wait(timeout=60) == 0
        log = log_of(watched)
        remedies = ("_restart_consumer", "_cut_connections", "_end_worker")
        places = [log.index(f"then={remedy}") for remedy in remedies]
        assert places == sorted(places)
        start_worker(settings, QUEUES, app="light_app", PYTHONPATH=HERE)
        assert job.result(timeout_s=60).scores[0].posting_id == "a"
