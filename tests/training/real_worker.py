"""A worker as an operator starts it, in a group of processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fleet.worker_processes import environment

from jobsentinel import Settings
from jobsentinel_workers.children import end_with_parent


@contextmanager
def real_worker(settings: Settings, queues: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker for some queues; what is left of it at the block's end is killed."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    name = queues.partition(",")[0]
    command = ["worker", "-Q", queues, "-n", f"{name}@%h", "--loglevel", "INFO"]
    with (settings.data_dir / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "jobsentinel_workers.app", *command],
            env=environment(settings),
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
