"""One writer at a time for each model, across threads and processes of one machine.

The kernel drops the lock when its holder dies, so a killed worker never blocks the others.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobsentinel.contract.errors import ModelUnavailable

_POLL_S = 0.01


@contextmanager
def exclusive_lock(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock file ``path`` for the length of the block.

    Raises:
        ModelUnavailable: another process held it for ``timeout_s`` seconds.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait_for(descriptor, path, timeout_s)
        yield
    finally:
        # Closing releases; the file stays, because removing it would let two holders in.
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise ModelUnavailable(
                    f"{path} was locked by another process for {timeout_s:g} s; "
                    "look for a worker that hangs while it registers a model"
                ) from None
            time.sleep(_POLL_S)
