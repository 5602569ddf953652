"""Opening what the commands look at: the store, and who must hear of a change of models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobsentinel.contract.errors import ConfigurationError, QueueUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from jobsentinel.settings import Settings
    from jobsentinel_workers.registry import ModelRegistry


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """Open the store for reading.

    Raises:
        ConfigurationError: nothing was ever stored there, or it cannot be used.
    """
    from jobsentinel_workers.store import Database

    require_store(settings)
    database = Database.open(settings.store_url)
    try:
        with database.connect() as connection:
            yield connection
    finally:
        database.close()


def require_store(settings: Settings) -> None:
    """Refuse to make a store: whoever looks at an empty new one has the wrong folder.

    Raises:
        ConfigurationError: there is none.
    """
    file = sqlite_file(settings)
    if file is not None and not file.is_file():
        raise ConfigurationError(
            f"there is no store at {file}; `jobsentinel up` makes it, or --data-dir names another"
        )


def sqlite_file(settings: Settings) -> Path | None:
    """Return the store's file, or None when it is not one (what it is, opening it will tell)."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(settings.store_url)
    except (ArgumentError, ValueError):
        return None
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def announce_models(settings: Settings, registry: ModelRegistry) -> bool:
    """Tell producers that other models serve now, so that equal requests are new work.

    Returns False when Redis cannot be told.
    """
    from jobsentinel_workers.models_in_service import models_generation
    from jobsentinel_workers.process import connect_ledger

    try:
        connect_ledger(settings).publish_models_generation(models_generation(registry))
    except (QueueUnavailable, ConfigurationError):
        return False
    return True
