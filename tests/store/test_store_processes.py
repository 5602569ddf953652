"""Several processes on one store at the same time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from store_process import ENCODER, posting, vector

from jobsentinel_workers.store import Database, VectorIndex, embeddings, postings, results
from jobsentinel_workers.store.schema import postings as postings_table

Process = subprocess.Popen[str]

ROUNDS = 15
WRITERS = ("a", "b", "c")
KEPT = {
    f"{name}-{number}-{i}"
    for name in WRITERS
    for number in range(ROUNDS)
    if number % 5 != 4
    for i in range(3)
}


def start(*role: str) -> Process:
    script = Path(__file__).with_name("store_process.py")
    return subprocess.Popen([sys.executable, str(script), *role], stdout=subprocess.PIPE, text=True)


def outputs(processes: list[Process]) -> list[str]:
    """Wait for ``processes``, require that they succeeded, and return what they printed."""
    printed = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


def while_running(processes: list[Process]) -> Iterator[None]:
    """Yield until all have ended, and once more after that."""
    while any(process.poll() is None for process in processes):
        yield
        time.sleep(0.001)
    outputs(processes)
    yield


def test_several_writers_lose_nothing(address: str) -> None:
    # Given three processes that commit at the same time and roll every fifth round back
    outputs([start("write", address, name, str(ROUNDS)) for name in WRITERS])

    # Then exactly what was committed is there
    with Database.open(address).connect() as connection:
        assert postings.exists(connection, KEPT) == KEPT
        assert postings.count(connection) == len(KEPT)
        assert embeddings.count(connection, ENCODER) == len(KEPT) + 1
        assert {result.item_id for result in results.iterate(connection)} == KEPT


@pytest.mark.parametrize("role", ["write", "write_without_turn"])
def test_a_reader_that_follows_the_change_numbers_misses_no_row(
    role: str, address: str, dialect: str
) -> None:
    if role == "write_without_turn" and dialect == "sqlite":
        role = "write"  # SQLite itself refuses a second writer
    database = Database.open(address)
    seen: dict[str, int] = {}
    newest = 0

    # Given a reader that always asks for what came after the newest number it has seen
    for _ in while_running([start(role, address, name, str(ROUNDS)) for name in WRITERS]):
        with database.connect() as connection:
            rows = connection.execute(
                select(postings_table.c.id, postings_table.c.change_seq)
                .where(postings_table.c.change_seq > newest)
                .order_by(postings_table.c.change_seq)
            ).all()
        seen.update((row.id, row.change_seq) for row in rows)
        newest = max((row.change_seq for row in rows), default=newest)

    # Then it has seen every row, each once and with a number of its own
    with database.connect() as connection:
        everything = set(connection.scalars(select(postings_table.c.id)))
    assert set(seen) == everything
    assert len(set(seen.values())) == len(seen)


def test_an_index_that_refreshes_during_writing_ends_up_complete(address: str) -> None:
    index = VectorIndex(Database.open(address), ENCODER)

    # Given an index refreshed again and again while others write
    for _ in while_running([start("write", address, name, str(ROUNDS)) for name in WRITERS]):
        index.refresh()

    # Then it holds every posting, each with its own vector
    assert len(index) == len(KEPT)
    found = {index.search(vector(id_), 1)[0][0] for id_ in KEPT}
    assert found == KEPT


def test_a_job_delivered_to_several_workers_is_committed_once(address: str) -> None:
    # Given three processes that finish the same 40 jobs
    firsts = outputs([start("deliver", address, "40") for _ in WRITERS])

    # Then each job was committed by one of them
    assert sum(map(int, firsts)) == 40
    with Database.open(address).connect() as connection:
        assert results.count(connection) == 40


def test_processes_that_start_at_once_migrate_an_empty_database_once(empty_address: str) -> None:
    revisions = outputs([start("migrate", empty_address) for _ in range(4)])

    assert len(set(revisions)) == 1
    with Database.open(empty_address).begin() as connection:
        assert postings.upsert(connection, [posting("p")]) == 1


def test_a_killed_writer_leaves_nothing_and_lets_the_next_one_in(address: str) -> None:
    # Given a writer killed in the middle of its transaction
    process = start("hang", address)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.kill()
    process.communicate()

    # When another writes
    database = Database.open(address)
    with database.begin() as connection:
        postings.upsert(connection, [posting("finished")])

    # Then only the other's row is there
    with database.connect() as connection:
        assert postings.exists(connection, ["unfinished", "finished"]) == {"finished"}
