"""Roles that tests give to processes of their own: ``python outbox_process.py ROLE FOLDER ...``."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from jobsentinel import OutboxFull, Settings
from jobsentinel.backpressure import Gate
from jobsentinel.flushing import Flusher
from jobsentinel.ledger import Ledger, connect
from jobsentinel.new_jobs import NewJob
from jobsentinel.outbox import Outbox

MAX_BYTES = 1 << 30


def job(job_id: str, size: int = 100) -> NewJob:
    """A job that nobody will send."""
    return NewJob(
        job_id, "score", "inference.bulk", b"x" * size, "{}", job_id, time.time(), None, 1
    )


def fill(folder: str, limit_bytes: str) -> None:
    """Append until the disk is full; print what happened, and whether it works again after."""
    outbox = Outbox(Path(folder) / "outbox.db", max_bytes=MAX_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), resource.RLIM_INFINITY))
    accepted = 0
    try:
        while True:
            outbox.append(job(f"job-{accepted}", size=20_000))
            accepted += 1
    except OutboxFull as error:
        print(accepted, error.waiting)
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    outbox.append(job("after"))
    outbox.close()


def append(folder: str, name: str, count: str) -> None:
    """Append so many jobs named after this process, as soon as it is told to."""
    outbox = Outbox(Path(folder) / "outbox.db", max_bytes=MAX_BYTES)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        outbox.append(job(f"{name}-{number}"))
    outbox.close()


def flush(folder: str, redis_url: str, namespace: str) -> None:
    """Send until nothing waits; print how many this process has sent."""
    settings = Settings.load(data_dir=Path(folder), redis_url=redis_url, namespace=namespace)
    with connect(redis_url) as client:
        ledger = Ledger(client, namespace)
        flusher = Flusher(ledger, Gate(ledger, settings), settings)
        sent, whole = 0, False
        while not whole:
            flushed = flusher.flush()
            sent, whole = sent + flushed.sent, flushed.is_whole()
        flusher.close()
    print(sent)


if __name__ == "__main__":
    {"fill": fill, "append": append, "flush": flush}[sys.argv[1]](*sys.argv[2:])
