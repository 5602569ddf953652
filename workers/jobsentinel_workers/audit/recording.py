"""Recording changes that are made outside the store, such as a promotion by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from jobsentinel.settings import Settings
from jobsentinel_workers.audit.entries import Entry
from jobsentinel_workers.audit.log import AuditLog, Event
from jobsentinel_workers.store import Database


class Record(Protocol):
    """Appends an entry to the log whose transaction is open; see `AuditLog.record`."""

    def __call__(
        self, event: Event, subject: str, details: Mapping[str, Any] | None = None
    ) -> Entry: ...


@contextmanager
def recording(settings: Settings) -> Iterator[Record]:
    """Open the store's write transaction for a short change of something else, and its entries.

    Whatever would keep the change from being recorded is raised before the block begins; what the
    block raises leaves no entry. Only a process killed between the change and the commit leaves a
    change without an entry. Others wait for the block, so a model is copied before it, not in it.

    Raises:
        ConfigurationError: the store cannot be used, or the log's key cannot.
        StoreUnavailable: the store is away, or the log is broken.
    """
    database = Database.open(settings.store_url)
    log = AuditLog(settings)
    try:
        with database.begin() as connection:
            log.require_usable(connection)

            def record(
                event: Event, subject: str, details: Mapping[str, Any] | None = None
            ) -> Entry:
                return log.record(connection, event, subject, details)

            yield record
    finally:
        database.close()
