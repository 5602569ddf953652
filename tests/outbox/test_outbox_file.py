"""The outbox's file: what came in comes out in order, whatever fails in between."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobsentinel import OutboxFull, OutboxUnavailable
from jobsentinel.new_jobs import NewJob
from jobsentinel.outbox import Outbox

MakeJob = Callable[..., NewJob]
Start = Callable[..., subprocess.Popen[str]]
MAX_BYTES = 1 << 30


def waiting_ids(outbox: Outbox) -> list[str]:
    found, place = [], 0
    while row := outbox.next_waiting(after=place):
        found.append(row.job.job_id)
        place = row.seq
    return found


def test_looking_into_an_outbox_that_never_held_a_job_makes_no_file(
    outbox: Outbox, new_job: MakeJob
) -> None:
    assert not outbox.has_waiting()
    assert outbox.is_empty()
    assert outbox.next_waiting() is None
    assert outbox.contents().waiting == 0

    assert not outbox.path.parent.exists()


def test_a_job_comes_out_as_it_went_in_after_the_file_was_opened_anew(
    outbox: Outbox, new_job: MakeJob
) -> None:
    # Given two jobs in a file that was closed
    jobs = [new_job(1, deadline_s=60), new_job(2)]
    for job in jobs:
        outbox.append(job)
    outbox.close()

    # When another process would open it
    again = Outbox(outbox.path, max_bytes=MAX_BYTES)

    # Then both are there, in order and with every field
    first = again.next_waiting()
    assert first is not None
    assert first.job == jobs[0]
    second = again.next_waiting(after=first.seq)
    assert second is not None
    assert second.job == jobs[1]
    again.close()


def test_only_its_owner_may_look_into_the_folder(outbox: Outbox, new_job: MakeJob) -> None:
    outbox.append(new_job())

    assert outbox.path.parent.stat().st_mode & 0o077 == 0


def test_at_its_limit_it_takes_nothing_more_and_loses_nothing(
    outbox: Outbox, new_job: MakeJob
) -> None:
    # Given an outbox that may not become larger than 64 KiB
    small = Outbox(outbox.path, max_bytes=64 * 1024)
    taken: list[str] = []

    # When more comes than it can hold
    def append_all() -> None:
        for number in range(1_000):
            job = new_job(number)
            small.append(job)
            taken.append(job.job_id)

    with pytest.raises(OutboxFull) as caught:
        append_all()

    # Then the error says where, how much and what to do, and all that was taken is there
    assert (caught.value.path, caught.value.waiting) == (small.path, len(taken))
    assert caught.value.max_bytes == 64 * 1024
    for part in (str(small.path), "65,536 bytes", f"{len(taken)})", "`jobsentinel outbox flush`"):
        assert part in str(caught.value)
    assert waiting_ids(small) == taken

    # And when some have left, there is room for another
    for _ in range(len(taken) // 2):
        first = small.next_waiting()
        assert first is not None
        small.settle(first.seq)
    small.append(new_job(1_001))
    assert waiting_ids(small)[:-1] == taken[len(taken) // 2 :]
    small.close()


def test_a_full_disk_is_the_same_error_and_leaves_no_half_of_a_job(
    tmp_path: Path, start: Start
) -> None:
    # Given a process whose files may not become larger than 300 KB, as on a full disk
    filling = start("fill", tmp_path, 300_000)

    # When it appends until that stops it
    printed, _ = filling.communicate(timeout=60)

    # Then it is told so, and nothing but whole jobs is in the file, the one after it included
    assert filling.returncode == 0
    accepted, waiting = map(int, printed.splitlines()[0].split())
    assert accepted == waiting > 0
    assert "or its disk is full" in printed
    outbox = Outbox(tmp_path / "outbox.db", max_bytes=MAX_BYTES)
    assert waiting_ids(outbox) == [*(f"job-{n}" for n in range(accepted)), "after"]
    while row := outbox.next_waiting():
        assert row.job.payload in (b"x" * 20_000, b"x" * 100)
        outbox.settle(row.seq)
    outbox.close()
    with sqlite3.connect(outbox.path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_processes_that_make_the_file_at_once_lose_nothing(tmp_path: Path, start: Start) -> None:
    # Given four processes that all begin with no file
    names = ["a", "b", "c", "d"]
    processes = [start("append", tmp_path, name, 50) for name in names]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    # When they begin at once
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0, 0]

    # Then everything is there, each process's jobs in its order
    outbox = Outbox(tmp_path / "outbox.db", max_bytes=MAX_BYTES)
    found = waiting_ids(outbox)
    outbox.close()
    for name in names:
        assert [id_ for id_ in found if id_.startswith(name)] == [f"{name}-{n}" for n in range(50)]
    assert len(found) == 200


def test_threads_may_share_an_outbox(outbox: Outbox, new_job: MakeJob) -> None:
    # Given eight threads
    def append(first: int) -> None:
        for number in range(first, first + 25):
            outbox.append(new_job(number))

    threads = [threading.Thread(target=append, args=(100 * n,)) for n in range(8)]

    # When they append at once
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Then nothing is missing
    assert outbox.contents().waiting == len(set(waiting_ids(outbox))) == 200


def test_one_sender_at_a_time_and_appending_goes_on(outbox: Outbox, new_job: MakeJob) -> None:
    with outbox.one_sender() as first, outbox.one_sender() as second:
        outbox.append(new_job())
        assert (first, second) == (True, False)

    with outbox.one_sender() as third:
        assert third
    assert outbox.has_waiting()


def test_room_goes_back_to_the_disk_when_all_has_left(outbox: Outbox, new_job: MakeJob) -> None:
    # Given a file that has grown
    for number in range(500):
        outbox.append(new_job(number))
    outbox.close()
    grown = outbox.path.stat().st_size

    # When all jobs have left
    while row := outbox.next_waiting():
        outbox.settle(row.seq)
    outbox.shrink()
    outbox.close()

    # Then it is small again
    assert outbox.path.stat().st_size < grown / 4


def test_a_damaged_file_is_named_and_left_as_it_is(outbox: Outbox, new_job: MakeJob) -> None:
    outbox.path.parent.mkdir(parents=True)
    outbox.path.write_bytes(b"this is no database" * 100)

    with pytest.raises(OutboxUnavailable, match=str(outbox.path)):
        outbox.append(new_job())

    assert outbox.path.read_bytes() == b"this is no database" * 100


def test_a_file_of_another_version_is_left_alone(outbox: Outbox, new_job: MakeJob) -> None:
    # Given a file that a later release has written
    outbox.append(new_job())
    outbox.close()
    with sqlite3.connect(outbox.path) as database:
        database.execute("PRAGMA user_version = 99")

    # Then this one refuses to touch it
    with pytest.raises(OutboxUnavailable, match="version 99"):
        outbox.has_waiting()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, new_job: MakeJob) -> None:
    (tmp_path / "file").write_text("in the way")
    outbox = Outbox(tmp_path / "file" / "outbox" / "x.db", max_bytes=MAX_BYTES)

    with pytest.raises(OutboxUnavailable, match="cannot be used"):
        outbox.append(new_job())
