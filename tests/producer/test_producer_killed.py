"""A scraper that is killed: what it was told is accepted, is sent, each job once and in order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from jobsentinel import Settings
from jobsentinel.flushing import outbox_of

MakeWorker = Callable[[Settings], Any]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(server: Any) -> Iterator[Start]:
    """Start a scraper in a process of its own, in a role of `scraper_process.py`."""
    processes: list[subprocess.Popen[str]] = []
    program = Path(__file__).with_name("scraper_process.py")

    def start(role: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, str(program), role, str(server.settings.data_dir), server.url]
        processes.append(
            subprocess.Popen(
                arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def lines_of(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def rest_of(stream: IO[str] | None) -> list[str]:
    assert stream is not None
    # The last line may have been cut short by the kill.
    return [line.strip() for line in stream.read().splitlines(keepends=True) if line[-1] == "\n"]


def waits_on_disk(settings: Settings) -> bool:
    outbox = outbox_of(settings)
    found = outbox.has_waiting()
    outbox.close()
    return found


@pytest.mark.parametrize("before_the_kill", [1, 20, 67])
def test_a_scraper_killed_in_mid_stream_has_lost_nothing_that_it_was_told_is_accepted(
    server: Any, start: Start, make_worker: MakeWorker, before_the_kill: int
) -> None:
    # Given a scraper whose Redis goes away in mid-stream
    scraper = start("send")
    accepted = lines_of(scraper, 25)
    server.stop()
    while not waits_on_disk(server.settings):
        accepted += lines_of(scraper, 1)
    accepted += lines_of(scraper, before_the_kill)

    # When it is killed, and a second process comes after Redis is back
    scraper.kill()
    accepted += rest_of(scraper.stdout)
    server.start()
    assert start("drain").wait(timeout=120) == 0

    # Then every job is in the queue once and in order; one may have been on its way to be told
    queued = make_worker(server.settings).queued()
    assert queued[: len(accepted)] == accepted
    assert len(queued) <= len(accepted) + 1


def test_a_process_killed_while_it_empties_the_outbox_has_sent_nothing_twice(
    server: Any, start: Start, make_worker: MakeWorker
) -> None:
    # Given many jobs in the outbox of a killed scraper
    server.stop()
    scraper = start("send")
    accepted = lines_of(scraper, 400)
    scraper.kill()
    accepted += rest_of(scraper.stdout)
    server.start()

    # When the process that sends them is killed too, each time a little later
    worker = make_worker(server.settings)
    for goal in (1, 60, 150):
        sender = start("drain")
        while len(worker.queued()) < min(goal, len(accepted)):
            assert sender.poll() in (None, 0)
        sender.kill()
        sender.wait()

    # Then the next one sends the rest
    assert start("drain").wait(timeout=120) == 0
    queued = worker.queued()
    assert queued[: len(accepted)] == accepted
    assert len(queued) == len(set(queued)) <= len(accepted) + 1
