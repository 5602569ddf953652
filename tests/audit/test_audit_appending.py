"""Appending: with its transaction, by several processes at once, and never to a broken log."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from audit_process import ROUNDS
from sqlalchemy import delete
from tampering import (
    ENTRIES,
    change_entry,
    change_head,
    remove_entries,
    verdict_of,
    write_log,
)

from jobsentinel import Settings
from jobsentinel.contract.errors import ConfigurationError, InvalidInput
from jobsentinel_workers.audit import AuditLog, AuditLogBroken, Entry, recording
from jobsentinel_workers.audit.keys import key_file
from jobsentinel_workers.audit.label_counts import label_counts
from jobsentinel_workers.audit.reading import read_entries
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.schema import audit_head

Process = subprocess.Popen[str]

WRITERS = ("a", "b", "c")


def entries_of(database: Database) -> list[Entry]:
    with database.connect() as connection:
        return list(read_entries(connection))


@contextmanager
def started(settings: Settings, role: str, names: tuple[str, ...]) -> Iterator[list[Process]]:
    """Run a process for each name in a role; all have ended when the block ends."""
    script = str(Path(__file__).with_name("audit_process.py"))
    about = (role, str(settings.data_dir), settings.database_url or "")
    processes = [
        subprocess.Popen([sys.executable, script, *about, name], stdout=subprocess.PIPE, text=True)
        for name in names
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def outputs(processes: list[Process]) -> list[str]:
    """Wait for the processes, require that they succeeded, and return what they printed."""
    printed = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


def test_an_entry_holds_who_did_what_and_when(log_settings: Settings, database: Database) -> None:
    with database.begin() as connection:
        recorded = AuditLog(log_settings).record(
            connection, "model_promoted", "scam", {"version": 3, "label": "v1 é", "previous": None}
        )

    assert entries_of(database) == [recorded]
    assert (recorded.seq, recorded.actor, recorded.subject) == (1, "alice", "scam")
    assert recorded.details == '{"label":"v1 \\u00e9","previous":null,"version":3}'
    assert recorded.at.endswith("Z")


def test_an_entry_goes_with_its_transaction(log_settings: Settings, database: Database) -> None:
    # Given a log of one entry
    log = AuditLog(log_settings)
    with database.begin() as connection:
        log.record(connection, "run_started", "kept")

    # When a transaction with another one is rolled back
    def fail_after_recording() -> None:
        with database.begin() as connection:
            log.record(connection, "run_started", "lost")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_after_recording()

    # Then the entry is gone, and the next one follows the first
    with database.begin() as connection:
        assert log.record(connection, "run_finished", "kept").seq == 2
    assert [each.subject for each in entries_of(database)] == ["kept", "kept"]
    assert verdict_of(log_settings, database).problem is None


def test_several_entries_of_one_transaction_follow_each_other(
    log_settings: Settings, database: Database
) -> None:
    log = AuditLog(log_settings)

    with database.begin() as connection:
        numbers = [log.record(connection, "run_started", "run").seq for _ in range(3)]

    assert numbers == [1, 2, 3]
    assert verdict_of(log_settings, database).problem is None


def test_processes_that_append_at_once_make_one_chain(log_settings: Settings) -> None:
    # Given no store, no key and three processes that all need them at once
    with started(log_settings, "append", WRITERS) as processes:
        outputs(processes)

    # Then nothing is lost, nothing that was rolled back is there, and the chain is whole
    database = Database.open(log_settings.store_url)
    assert {each.subject for each in entries_of(database)} == {
        f"{name}-{number}" for name in WRITERS for number in range(ROUNDS) if number % 5 != 4
    }
    verdict = verdict_of(log_settings, database)
    assert verdict.problem is None
    assert verdict.entries == len(WRITERS) * ROUNDS * 4 // 5
    database.close()


def test_the_head_alone_keeps_writers_of_postgres_in_one_chain(
    make_settings: Callable[[str], Settings],
) -> None:
    # Given a log that has begun, and writers that do not wait for the store's writer
    settings = make_settings("postgresql")
    database = Database.open(settings.store_url)
    write_log(settings, database, 1)
    with started(settings, "append_without_turn", WRITERS) as processes:
        outputs(processes)

    # Then the chain is whole all the same
    verdict = verdict_of(settings, database)
    assert verdict.problem is None
    assert verdict.entries == 1 + len(WRITERS) * ROUNDS
    database.close()


def test_a_killed_writer_leaves_no_entry_and_lets_the_next_one_in(
    log_settings: Settings, database: Database
) -> None:
    # Given a writer killed after it appended and before it committed
    with started(log_settings, "hang", ("x",)) as [process]:
        assert process.stdout is not None
        assert process.stdout.readline() == "appended\n"

    # When another appends
    write_log(log_settings, database, 1)

    # Then its entry is the first and only one
    assert verdict_of(log_settings, database).problem is None
    assert [each.seq for each in entries_of(database)] == [1]


@pytest.mark.parametrize("what", ["end", "seal", "head", "everything but the head"])
def test_nothing_is_appended_to_a_log_whose_end_was_changed(
    log_settings: Settings, database: Database, what: str
) -> None:
    # Given a log whose end is not what was written
    write_log(log_settings, database)
    with database.begin() as connection:
        if what == "end":
            remove_entries(connection, ENTRIES)
        elif what == "seal":
            change_head(connection, seal="0" * 64)
        elif what == "head":
            connection.execute(delete(audit_head))
        else:
            remove_entries(connection, *range(1, ENTRIES + 1))
    before = entries_of(database)

    # Then a change is refused together with its entry, and the damage stays to be seen
    with pytest.raises(AuditLogBroken, match="audit verify"):
        write_log(log_settings, database, 1)
    assert entries_of(database) == before
    assert verdict_of(log_settings, database).problem is not None


def test_an_old_entry_that_was_altered_does_not_keep_changes_out(
    log_settings: Settings, database: Database
) -> None:
    # Given an altered entry that is not the last one
    write_log(log_settings, database)
    with database.begin() as connection:
        change_entry(connection, 2, actor="mallory")

    # When work goes on
    write_log(log_settings, database, 1)

    # Then the entry is still named
    problem = verdict_of(log_settings, database).problem
    assert problem is not None
    assert problem.seq == 2


def test_a_machine_with_another_key_is_refused_before_it_changes_anything(
    log_settings: Settings, database: Database, tmp_path: Path
) -> None:
    # Given a log that was begun elsewhere
    write_log(log_settings, database, 1)
    url = log_settings.store_url
    without = Settings.load(data_dir=tmp_path / "other", database_url=url)
    other = without.changed(audit_key="another key of 32 characters, or of more")

    # Then neither a machine without a key nor one with another can work or append
    for settings in (without, other):
        with pytest.raises(ConfigurationError, match="begun with another key"):
            AuditLog(settings).check(database)
        with pytest.raises(ConfigurationError, match="JOBSENTINEL_AUDIT_KEY"):
            write_log(settings, database, 1)
    assert not key_file(without).exists()
    assert verdict_of(log_settings, database).entries == 1


def test_a_worker_may_start_before_anything_was_recorded(
    log_settings: Settings, database: Database
) -> None:
    AuditLog(log_settings).check(database)
    write_log(log_settings, database, 1)
    AuditLog(log_settings).check(database)

    assert verdict_of(log_settings, database).entries == 1


@pytest.mark.parametrize(
    "details",
    [{"loss": 0.5}, {"a": {"b": [1, 2.0]}}, {"when": {1, 2}}, {"nan": float("nan")}],
)
def test_details_that_have_no_fixed_form_are_refused(
    log_settings: Settings, database: Database, details: dict[str, Any]
) -> None:
    with database.begin() as connection, pytest.raises(InvalidInput, match="details"):
        AuditLog(log_settings).record(connection, "run_finished", "run", details)

    assert entries_of(database) == []


def test_a_change_outside_the_store_is_recorded_with_its_entry_or_not_made(
    sqlite_settings: Settings,
) -> None:
    # Given a change that fails, and one that does not
    def fail() -> None:
        with recording(sqlite_settings) as record:
            record("model_promoted", "scam", {"version": 1})
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    with recording(sqlite_settings) as record:
        record("model_promoted", "scam", {"version": 2})

    # Then only the second one is in the log
    database = Database.open(sqlite_settings.store_url)
    assert [json.loads(each.details) for each in entries_of(database)] == [{"version": 2}]

    # And with a key that others can read, the block is not even entered
    key_file(sqlite_settings).chmod(0o644)
    entered = False
    with pytest.raises(ConfigurationError, match="0644"), recording(sqlite_settings):
        entered = True
    assert not entered
    database.close()


def test_labels_are_counted_by_kind_and_annotator_and_not_quoted() -> None:
    rows = [
        {"posting_id": "p", "kind": "scam", "value": "a text", "annotator": "bob"},
        {"posting_id": "q", "kind": "scam", "value": "a text", "annotator": "bob"},
        {"posting_id": "p", "kind": "match", "value": "a text", "annotator": None},
    ]

    counted = label_counts(rows, 2)

    assert counted == {
        "changed": 2,
        "sent": 3,
        "kinds": {"scam": {"bob": 2}, "match": {"unknown": 1}},
    }
