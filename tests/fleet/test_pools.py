"""Which pool serves which queues, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from worker_processes import StartWorker, environment

from jobsentinel import ConfigurationError, Producer, Settings
from jobsentinel_workers.pools import INFERENCE, TRAINING_POOL, pool_for, refuse_unsafe

SAFE = {"task_acks_late": True, "accept_content": ["msgpack"]}


@pytest.mark.parametrize(
    ("queues", "pool"),
    [
        (["inference.interactive", "inference.bulk"], INFERENCE),
        ("inference.bulk", INFERENCE),
        (["training"], TRAINING_POOL),
    ],
)
def test_the_queues_decide_the_pool(queues: object, pool: object) -> None:
    assert pool_for(queues) is pool


@pytest.mark.parametrize(
    ("queues", "says"),
    [
        (None, "name the queues"),
        (["celery"], "'celery' is not one of"),
        (["training", "inference.bulk"], "start two workers"),
    ],
)
def test_other_queues_are_refused(queues: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        pool_for(queues)


@pytest.mark.parametrize(
    ("conf", "options", "says"),
    [
        ({}, {"autoscale": (3, 1)}, "--autoscale"),
        ({}, {"purge": True}, "--purge"),
        ({}, {"pool": "solo"}, "loses the job in hand"),
        ({}, {"pool": "gevent"}, "leases are not renewed"),
        ({"task_acks_late": False}, {}, "task_acks_late"),
        ({"accept_content": ["msgpack", "pickle"]}, {}, "only msgpack"),
    ],
)
def test_what_would_lose_work_is_refused(
    conf: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        refuse_unsafe(SAFE | conf, options, INFERENCE)


def test_the_safe_configuration_is_taken() -> None:
    refuse_unsafe(SAFE, {}, INFERENCE)


def test_workers_started_by_hand_do_the_same_work(
    settings: Settings, producer: Producer, start_worker: StartWorker
) -> None:
    start_worker(settings, "inference.interactive,inference.bulk")
    start_worker(settings, "training")

    (score,) = producer.score([{"id": "a", "title": "Electrician"}]).result(timeout_s=120)
    rows = [{"text": f"{word} {n}", "label": word} for word in ("cook", "nurse") for n in range(8)]
    trained = producer.fine_tune("by-hand", rows, epochs=2).result(timeout_s=180)

    assert score.category is not None
    assert (trained.model, trained.version) == ("by-hand", 1)
    assert (settings.models_dir / "by-hand" / "versions" / "1").is_dir()


def test_an_unsafe_start_says_why_and_ends(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    started = time.monotonic()

    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "jobsentinel_workers.app",
            "worker",
            "-Q",
            "training,inference.bulk",
        ],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0
    assert "start two workers" in ended.stderr
    assert time.monotonic() - started < 60
    assert not Path(settings.data_dir / "jobsentinel.db").exists()


def test_a_worker_whose_models_cannot_be_read_ends_and_says_why(
    settings: Settings, start_worker: StartWorker
) -> None:
    broken = settings.model_copy(update={"encoder_path": settings.data_dir / "no-such-model"})

    worker = start_worker(broken, "inference.bulk")

    assert worker.wait(timeout=90) == 1
    log = (settings.data_dir / "inference.bulk.log").read_text("utf-8")
    assert "worker.cannot_start ModelUnavailable" in log
    assert "no-such-model" in log
