"""Workers as an operator starts them: plain Celery, one process a pool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from worker_processes import StartWorker, environment

from jobsentinel import Settings
from jobsentinel_workers.children import end_with_parent


@pytest.fixture
def start_worker() -> Iterator[StartWorker]:
    """Start a worker for some queues; its log is ``<first queue>.log`` in the data folder."""
    workers: list[subprocess.Popen[bytes]] = []

    def start(
        settings: Settings, queues: str, app: str = "jobsentinel_workers.app", **extra: str
    ) -> subprocess.Popen[bytes]:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        name = queues.partition(",")[0]
        command = ["worker", "-Q", queues, "-n", f"{name}@%h", "--loglevel", "INFO"]
        with (settings.data_dir / f"{name}.log").open("ab") as log:
            workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "celery", "-A", app, *command],
                    env={**environment(settings), **extra},
                    stdout=log,
                    stderr=log,
                    preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
                    start_new_session=True,
                )
            )
        return workers[-1]

    yield start
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        try:
            worker.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            raise
