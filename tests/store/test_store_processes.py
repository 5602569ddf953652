"""Several processes on one store at the same time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from store_process import DELIVERED_JOBS, ENCODER, ROUNDS, posting, vector

from jobsentinel_workers.store import Database, VectorIndex, embeddings, postings, results
from jobsentinel_workers.store.schema import postings as postings_table

Process = subprocess.Popen[str]

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
    yield


@dataclass
class Aftermath:
    """What is left, and what was seen meanwhile, when three writers have ended."""

    database: Database
    seen: dict[str, int]
    index: VectorIndex
    first_deliveries: list[int]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def aftermath(
    request: pytest.FixtureRequest, make_address: Callable[[str], str]
) -> Iterator[Aftermath]:
    """Three processes commit at the same time while a reader and an index follow them.

    Each rolls every fifth round back, and all three then finish the same twenty jobs.
    """
    address = make_address(request.param)
    database = Database.open(address)
    index, seen = VectorIndex(database, ENCODER), dict[str, int]()
    processes = [start("write_and_deliver", address, name) for name in WRITERS]
    for _ in while_running(processes):
        seen.update(changes_after(database, max(seen.values(), default=0)))
        index.refresh()
    yield Aftermath(database, seen, index, [int(text) for text in outputs(processes)])
    database.close()


def changes_after(database: Database, newest: int) -> dict[str, int]:
    """Return the postings changed after ``newest``, each with its number."""
    columns = select(postings_table.c.id, postings_table.c.change_seq)
    with database.connect() as connection:
        rows = connection.execute(columns.where(postings_table.c.change_seq > newest))
        return {row.id: row.change_seq for row in rows}


def test_several_writers_lose_nothing_and_keep_nothing_rolled_back(aftermath: Aftermath) -> None:
    with aftermath.database.connect() as connection:
        assert postings.exists(connection, KEPT) == KEPT
        assert postings.count(connection) == len(KEPT)
        assert embeddings.count(connection, ENCODER) == len(KEPT) + 1
        scored = {result.item_id for result in results.iterate(connection)}
        assert scored == KEPT | {"delivered"}


def test_a_reader_that_follows_the_change_numbers_misses_no_row(aftermath: Aftermath) -> None:
    assert set(aftermath.seen) == KEPT
    assert len(set(aftermath.seen.values())) == len(KEPT)


def test_an_index_refreshed_during_writing_ends_up_complete(aftermath: Aftermath) -> None:
    assert len(aftermath.index) == len(KEPT)
    assert {aftermath.index.search(vector(id_), 1)[0][0] for id_ in KEPT} == KEPT


def test_a_job_delivered_to_several_workers_is_committed_once(aftermath: Aftermath) -> None:
    assert sum(aftermath.first_deliveries) == DELIVERED_JOBS
    with aftermath.database.connect() as connection:
        assert results.count(connection, posting_id="delivered") == DELIVERED_JOBS


def test_change_numbers_hold_even_for_programs_that_write_beside_us(
    make_address: Callable[[str], str],
) -> None:
    # Given three writers in Postgres that take numbers from the clock but do not wait their turn
    address = make_address("postgresql")
    database = Database.open(address)
    seen: dict[str, int] = {}
    for _ in while_running([start("write_without_turn", address, name) for name in WRITERS]):
        seen.update(changes_after(database, max(seen.values(), default=0)))

    # Then a reader that follows has seen every row all the same
    assert seen == changes_after(database, 0)
    assert len(set(seen.values())) == len(WRITERS) * ROUNDS


def test_processes_that_start_at_once_migrate_an_empty_database_once(empty_address: str) -> None:
    revisions = outputs([start("migrate", empty_address, "") for _ in range(3)])

    assert len(set(revisions)) == 1
    with Database.open(empty_address).begin() as connection:
        assert postings.upsert(connection, [posting("p")]) == 1


def test_a_killed_writer_leaves_nothing_and_lets_the_next_one_in(address: str) -> None:
    # Given a writer killed in the middle of its transaction
    process = start("hang", address, "")
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
