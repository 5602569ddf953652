"""Appending to the log, one entry after the other, in the transaction of the change itself.

The store's writer works alone from its first statement on, and the head's row is locked besides;
entries' numbers are the table's primary key. So writers in several processes make one chain, and
one that went past all of this would fail on the number and be rolled back.

Nothing is appended to a log whose end is not what was written last: a new seal would cover it up.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import Connection, insert, update

from jobsentinel.contract.errors import ConfigurationError, StoreUnavailable
from jobsentinel.settings import Settings
from jobsentinel_workers.audit.entries import FIRST_PREVIOUS_MAC, Entry, Head, canonical, key_id
from jobsentinel_workers.audit.keys import find_key, find_or_make_key, key_file
from jobsentinel_workers.audit.reading import newest_seq, read_head
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.checks import checked_id, storable_text
from jobsentinel_workers.store.schema import audit, audit_head
from jobsentinel_workers.store.timestamps import utc_now

Event = Literal[
    "model_registered",
    "model_promoted",
    "model_rolled_back",
    "split_changed",
    "labels_changed",
    "run_started",
    "run_finished",
    "run_failed",
    "run_cancelled",
]


class AuditLogBroken(StoreUnavailable):
    """The end of the audit log is not what was written; changes wait until somebody has looked.

    ``jobsentinel audit verify`` names what is wrong, docs/audit.md says how to go on.
    """


class AuditLog:
    """The log of the store, as one actor appends to it; threads may share it.

    Making one reads nothing; the key is read, or made, with the first entry.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key: bytes | None = None
        self.actor = storable_text(settings.actor or os_user())

    def record(
        self,
        connection: Connection,
        event: Event,
        subject: str,
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Append an entry in the write transaction of ``connection``, with which it stays or goes.

        Args:
            subject: what was changed: a model's name, a run's or a job's id.
            details: JSON without floats; never texts of postings.

        Raises:
            InvalidInput: details or a subject that cannot be stored.
            ConfigurationError: no usable key, or the log was begun with another one.
            AuditLogBroken: the log's end is not what was written.
        """
        text, name = canonical(details or {}), checked_id("subject", subject)
        head = read_head(connection, lock=True)
        key = self._usable_key(connection, head)
        number, previous = (head.seq, head.mac) if head else (0, FIRST_PREVIOUS_MAC)
        entry = Entry(number + 1, utc_now(), self.actor, event, name, text, previous)
        entry = replace(entry, mac=entry.mac_by(key))
        _write(connection, key, entry)
        return entry

    def require_usable(self, connection: Connection) -> None:
        """Raise now what `record` would raise, before a change that cannot be taken back."""
        self._usable_key(connection, read_head(connection, lock=True))

    def check(self, database: Database) -> None:
        """Look whether a worker can append, when it starts; nothing is made or changed.

        Raises:
            ConfigurationError: an unsafe key, or another one than the log was begun with.
        """
        with database.connect() as connection:
            head = read_head(connection)
        key = find_key(self._settings)
        if head is not None and (key is None or key_id(key) != head.key_id):
            raise ConfigurationError(self._other_key(database.address))

    def _usable_key(self, connection: Connection, head: Head | None) -> bytes:
        key = self._key_for(head, _address(connection))
        if head is not None and head.key_id != key_id(key):
            raise ConfigurationError(self._other_key(_address(connection)))
        sealed = head is None or head.fits(key)
        if not sealed or newest_seq(connection) != (head.seq if head else 0):
            raise AuditLogBroken(
                "the end of the audit log is not what was written last, so nothing is added to it; "
                "`jobsentinel audit verify` names what is wrong"
            )
        return key

    def _key_for(self, head: Head | None, address: str) -> bytes:
        if self._key is None:
            # A log that has begun has a key already; making another would hide that it is lost.
            found = find_or_make_key(self._settings) if head is None else find_key(self._settings)
            if found is None:
                raise ConfigurationError(self._other_key(address))
            self._key = found
        return self._key

    def _other_key(self, address: str) -> str:
        return (
            f"the audit log in {address} was begun with another key than the one here; set the "
            "same JOBSENTINEL_AUDIT_KEY on all machines that share a store, or restore "
            f"{key_file(self._settings)}"
        )


def os_user() -> str:
    """Return the name of the user that this process runs as, or its number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers may run as a user that no file knows
        return f"uid {os.getuid()}"


def _address(connection: Connection) -> str:
    return connection.engine.url.render_as_string(hide_password=True)


def _write(connection: Connection, key: bytes, entry: Entry) -> None:
    connection.execute(insert(audit).values(**_columns(entry)))
    head = Head(entry.seq, entry.mac, key_id(key))
    values = {"seq": head.seq, "mac": head.mac, "key_id": head.key_id, "seal": head.seal_by(key)}
    if entry.seq == 1:
        connection.execute(insert(audit_head).values(id=1, **values))
    else:
        connection.execute(update(audit_head).values(**values))


def _columns(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in audit.columns.keys()}  # noqa: SIM118  # a collection of columns is no mapping
