"""What probes hear of real workers: ``python -m jobsentinel_workers.health live|ready``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from worker_processes import StartWorker

from jobsentinel import Settings
from jobsentinel_workers.embedded import EmbeddedServer
from jobsentinel_workers.health import HEALTH_FILE_VARIABLE, STALE_AFTER_S, Beat, problem

HERE = str(Path(__file__).parent)
INFERENCE, TRAINING = "inference.interactive,inference.bulk", "training"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "beat.json"


@pytest.fixture
def own_server(tmp_path: Path, settings: Settings) -> Iterator[EmbeddedServer]:
    """A server that a test may stop."""
    folder = settings.model_copy(update={"data_dir": tmp_path / "server", "redis_url": None})
    with EmbeddedServer(folder) as server:
        yield server


def asked(question: str, file: Path) -> tuple[int, str]:
    answer = subprocess.run(
        [sys.executable, "-m", "jobsentinel_workers.health", question],
        env={**os.environ, HEALTH_FILE_VARIABLE: str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode, answer.stderr


def wait_until(holds: Callable[[], bool], file: Path, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, file.read_text("utf-8") if file.exists() else "no beat"
        time.sleep(0.05)


def is_ready(file: Path) -> bool:
    return problem("ready", file) is None


def does(file: Path, what: str) -> Callable[[], bool]:
    return lambda: file.exists() and Beat.read(file).doing == what


@pytest.mark.parametrize("queues", [INFERENCE, TRAINING])
def test_a_worker_that_consumes_is_live_and_ready_until_it_is_told_to_stop(
    settings: Settings, start_worker: StartWorker, file: Path, queues: str
) -> None:
    worker = start_worker(
        settings, queues, "quick_beat_app", PYTHONPATH=HERE, JOBSENTINEL_HEALTH_FILE=str(file)
    )
    wait_until(lambda: is_ready(file), file)

    answers = [asked(question, file) for question in ("live", "ready")]
    worker.terminate()
    assert worker.wait(timeout=30) == 0

    assert answers == [(0, ""), (0, "")]
    assert Beat.read(file).doing in ("consuming", "stopping")


def test_a_worker_that_loses_redis_lives_and_is_ready_again_when_it_is_back(
    settings: Settings, own_server: EmbeddedServer, start_worker: StartWorker, file: Path
) -> None:
    own_server.stop()
    far = settings.model_copy(update={"redis_url": own_server.url})
    start_worker(
        far, INFERENCE, "quick_beat_app", PYTHONPATH=HERE, JOBSENTINEL_HEALTH_FILE=str(file)
    )
    wait_until(does(file, "starting"), file)

    before = asked("live", file), asked("ready", file)
    own_server.start()
    wait_until(lambda: is_ready(file), file)
    own_server.stop()
    wait_until(does(file, "waiting for Redis"), file)
    away = asked("live", file), asked("ready", file)
    own_server.start()
    wait_until(lambda: is_ready(file), file)

    assert before == ((0, ""), (1, "ready: not ready: starting\n"))
    assert away == ((0, ""), (1, "ready: not ready: waiting for Redis\n"))


def test_a_worker_whose_loop_stands_still_does_not_beat(
    settings: Settings, start_worker: StartWorker, file: Path, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    extra = {"JOBSENTINEL_HEALTH_FILE": str(file), "STUCK_UNTIL": str(go_on)}
    start_worker(settings, INFERENCE, "quick_beat_app", PYTHONPATH=HERE, **extra)
    log = settings.data_dir / "inference.interactive.log"
    try:
        wait_until(lambda: "health.silent doing=consuming" in log.read_text("utf-8"), file)

        first = Beat.read(file)
        time.sleep(0.6)  # three beats, were there any
        second = Beat.read(file)
    finally:
        go_on.touch()
    wait_until(lambda: Beat.read(file).at_s > second.at_s, file)

    assert first == second


def test_a_worker_that_cannot_write_its_beat_says_so_and_does_not_start(
    settings: Settings, start_worker: StartWorker, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere" / "beat.json"

    worker = start_worker(
        settings, INFERENCE, "light_app", PYTHONPATH=HERE, JOBSENTINEL_HEALTH_FILE=str(nowhere)
    )

    assert worker.wait(timeout=30) != 0
    log = (settings.data_dir / "inference.interactive.log").read_text("utf-8")
    assert "JOBSENTINEL_HEALTH_FILE: " in log
    assert "name a file in a folder that this user may write" in log


@pytest.mark.parametrize("age_s", [STALE_AFTER_S + 1, -100.0])
def test_a_beat_that_is_old_or_of_another_start_of_the_machine_is_no_life(
    file: Path, age_s: float
) -> None:
    Beat(time.monotonic() - age_s, "consuming", ready=True).write(file)

    answers = [asked(question, file) for question in ("live", "ready")]

    assert [code for code, _ in answers] == [1, 1]
    assert all("s old, of at most 30 s: consuming" in text for _, text in answers)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"at_s": 1}', "7"])
def test_a_beat_that_is_not_there_or_is_broken_is_no_life(file: Path, content: str | None) -> None:
    if content is not None:
        file.write_text(content, encoding="utf-8")

    code, told = asked("live", file)

    assert code == 1
    assert told.startswith("live: no beat")
    assert len(told.splitlines()) == 1


def test_a_probe_without_a_file_names_the_variable() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "jobsentinel_workers.health", "live"],
        env={name: value for name, value in os.environ.items() if name != HEALTH_FILE_VARIABLE},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 2
    assert HEALTH_FILE_VARIABLE in answer.stderr


def test_a_probe_loads_neither_celery_nor_torch() -> None:
    program = (
        "import sys, jobsentinel_workers.health; "
        "print([m for m in ('torch', 'celery', 'numpy', 'pydantic') if m in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed.strip() == "[]"
