"""Roles that tests give to processes of their own: ``python audit_process.py ROLE FOLDER URL``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from jobsentinel import Settings
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.audit.keys import find_or_make_key
from jobsentinel_workers.store import Database

ROUNDS = 20


class NotKept(Exception):
    """Rolls a round back."""


def append(settings: Settings, name: str) -> None:
    """Append in many short transactions, and roll every fifth one back."""
    database, log = Database.open(settings.store_url), AuditLog(settings)
    for number in range(ROUNDS):
        try:
            with database.begin() as connection:
                log.record(connection, "labels_changed", f"{name}-{number}")
                if number % 5 == 4:
                    raise NotKept
        except NotKept:
            pass


def append_without_turn(settings: Settings, name: str) -> None:
    """Append like a program that does not wait for the store's writer, as Postgres would let it."""
    database, log = Database.open(settings.store_url), AuditLog(settings)
    engine = database._engines().writer.execution_options(jobsentinel_writes=False)
    for number in range(ROUNDS):
        with engine.begin() as connection:
            log.record(connection, "labels_changed", f"{name}-{number}")


def make_key(settings: Settings, _name: str) -> None:
    """Print the key."""
    print(find_or_make_key(settings).hex())


def hang(settings: Settings, _name: str) -> None:
    """Append in a transaction that never ends, and say so."""
    with Database.open(settings.store_url).begin() as connection:
        AuditLog(settings).record(connection, "labels_changed", "unfinished")
        print("appended", flush=True)
        time.sleep(60)


ROLES = {
    "append": append,
    "append_without_turn": append_without_turn,
    "make_key": make_key,
    "hang": hang,
}

if __name__ == "__main__":
    role, folder, url, name = sys.argv[1:]
    ROLES[role](Settings.load(data_dir=Path(folder), database_url=url or None), name)
