"""`jobsentinel audit` in processes of its own, over a store that somebody has changed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tampering import ENTRIES, write_log

from jobsentinel import Settings
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.audit.keys import key_file
from jobsentinel_workers.store import Database

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

COMMAND = (sys.executable, "-c", "from jobsentinel.cli import main; raise SystemExit(main())")


@pytest.fixture
def run(sqlite_settings: Settings) -> Run:
    """Run `jobsentinel audit` in a process of its own."""

    def run(*arguments: object, **changes: str) -> Done:
        return subprocess.run(
            [*COMMAND, "audit", *map(str, arguments)],
            env={**os.environ, "JOBSENTINEL_DATA_DIR": str(sqlite_settings.data_dir), **changes},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def store_file(sqlite_settings: Settings) -> Path:
    """The file of a store with eight entries, all of them in the file itself."""
    database = Database.open(sqlite_settings.store_url)
    write_log(sqlite_settings, database)
    database.close()
    file = sqlite_settings.data_dir / "jobsentinel.db"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return file


def change_one_byte(file: Path, within: bytes, byte: int) -> None:
    """Put ``byte`` in the place of the first byte of ``within``, which the file holds once."""
    content = bytearray(file.read_bytes())
    assert content.count(within) == 1
    content[content.index(within)] = byte
    file.write_bytes(content)


def json_rows(done: Done) -> list[Any]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_entries_are_shown_newest_first(run: Run, store_file: Path) -> None:
    table = run("show", "--limit", 2)
    rows = json_rows(run("show", "--json"))

    assert table.returncode == 0
    lines = table.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["8", "7"]
    assert "alice" in lines[2]
    assert "version 7" in lines[2]
    assert [row["seq"] for row in rows] == list(range(ENTRIES, 0, -1))
    assert rows[0]["details"] == {"version": 7}
    assert rows[0]["previous_mac"] == rows[1]["mac"]


def test_entries_are_shown_since_a_time(run: Run, store_file: Path) -> None:
    at = json_rows(run("show", "--json"))[2]["at"]

    assert [row["seq"] for row in json_rows(run("show", "--since", at, "--json"))] == [8, 7, 6]
    assert len(json_rows(run("show", "--since", "1h", "--json"))) == ENTRIES
    assert run("show", "--since", "2999-01-01T00:00:00Z").stdout == ""
    assert run("show", "--since", "yesterday").returncode == 2


def test_a_whole_log_is_verified_and_its_end_can_be_noted(run: Run, store_file: Path) -> None:
    verified = run("verify")
    [row] = json_rows(run("verify", "--json"))

    assert verified.returncode == 0
    assert "whole, 8 entries" in verified.stdout
    assert row["whole"] is True
    assert row["last"] in verified.stdout.replace("\n", "").replace(" ", "")
    assert run("verify", "--noted", row["last"]).returncode == 0
    assert run("verify", "--noted", "9" + row["last"][1:]).returncode == 1
    assert run("verify", "--noted", "nonsense").returncode == 2


@pytest.mark.parametrize("byte", [ord("x"), 0xFF, 0x00])
def test_one_changed_byte_in_the_store_is_found_and_named(
    run: Run, store_file: Path, byte: int
) -> None:
    # Given a store in which one byte of entry 4 is another one
    change_one_byte(store_file, b"model-3", byte)

    # Then checking the log fails and names the entry
    verified = run("verify")
    assert verified.returncode == 1
    assert "entry 4 was altered" in verified.stderr
    [row] = json_rows(run("verify", "--json"))
    assert row["whole"] is False
    assert row["entries"] == 3
    assert (row["problem"]["kind"], row["problem"]["seq"]) == ("altered", 4)

    # And it is shown, but not as if it were true
    shown = run("show", "--json")
    assert shown.returncode == 1
    assert len(json_rows(shown)) == ENTRIES
    assert "entry 4 is not what was written" in shown.stderr
    assert run("show").returncode == 1


def test_entries_deleted_in_the_store_are_named(run: Run, store_file: Path) -> None:
    connection = sqlite3.connect(store_file)
    with connection:
        connection.execute("DELETE FROM audit WHERE seq > 6")
    connection.close()

    verified = run("verify")

    assert verified.returncode == 1
    assert "entry 7 and all up to 8 are missing at the end" in verified.stderr


def test_a_damaged_file_is_told_in_a_line(run: Run, store_file: Path) -> None:
    content = bytearray(store_file.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    store_file.write_bytes(content)

    verified = run("verify")

    assert verified.returncode == 1
    assert verified.stderr.startswith("error: ")
    assert "Traceback" not in verified.stderr


def test_a_log_without_its_key_is_not_called_whole(
    run: Run, store_file: Path, sqlite_settings: Settings
) -> None:
    key_file(sqlite_settings).unlink()

    verified, shown = run("verify"), run("show", "--json")

    assert verified.returncode == 1
    assert "its key is not here" in verified.stderr
    assert shown.returncode == 0
    assert "not checked" in shown.stderr

    # Nor when only its head is left
    connection = sqlite3.connect(store_file)
    with connection:
        connection.execute("DELETE FROM audit")
    connection.close()
    assert "its key is not here" in run("verify").stderr
    assert not key_file(sqlite_settings).exists()


def test_another_key_and_an_unsafe_one_are_told(
    run: Run, store_file: Path, sqlite_settings: Settings
) -> None:
    other = run("verify", JOBSENTINEL_AUDIT_KEY="another key of 32 characters, or of more")
    key_file(sqlite_settings).chmod(0o640)
    unsafe = run("verify")

    assert other.returncode == 1
    assert "entry 1 was written with another key" in other.stderr
    assert unsafe.returncode == 1
    assert "has mode 0640" in unsafe.stderr


def test_an_empty_log_is_whole_and_a_folder_without_a_store_is_named(
    run: Run, sqlite_settings: Settings
) -> None:
    nothing = run("verify")
    Database.open(sqlite_settings.store_url).close()
    empty = run("verify")

    assert nothing.returncode == 1
    assert "there is no store at" in nothing.stderr
    assert empty.returncode == 0
    assert "0 entries" in empty.stdout


def test_text_in_entries_cannot_reach_the_terminal(run: Run, sqlite_settings: Settings) -> None:
    database = Database.open(sqlite_settings.store_url)
    with database.begin() as connection:
        details = {"kinds": {"scam": {"\x1b[31m[bold]": 1}}}
        AuditLog(sqlite_settings).record(connection, "labels_changed", "job", details)
    database.close()

    shown = run("show")

    assert "\x1b" not in shown.stdout
    assert run("verify").returncode == 0
