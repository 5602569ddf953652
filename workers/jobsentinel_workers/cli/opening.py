"""Opening what the commands look at: the store, and the registry with its starter weights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobsentinel.contract.errors import ConfigurationError, ModelUnavailable, QueueUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from jobsentinel.settings import Settings
    from jobsentinel_workers.registry import ModelRegistry

BUILTIN_MODELS: Final = ("multi-task", "reranker")
WORKERS_NOTICE_S: Final = 1.2
"""After this long, workers that are asked look at the registry again (they do so once a second)."""


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


def open_registry(settings: Settings) -> ModelRegistry:
    """Return the registry, with those starter weights that are there, without loading torch."""
    from jobsentinel_workers.registry import ModelRegistry
    from jobsentinel_workers.starter import starter_path

    builtin: dict[str, Path] = {}
    for name in BUILTIN_MODELS:
        try:
            builtin[name] = starter_path(name)
        except ModelUnavailable:
            continue  # `jobsentinel doctor` tells of it
    return ModelRegistry(settings.models_dir, builtin=builtin)


def announce_models(settings: Settings, registry: ModelRegistry) -> bool:
    """Tell producers that other models serve now, so that equal requests are new work.

    Returns False when Redis cannot be told. It waits until no worker answers with the old model.
    """
    from jobsentinel_workers.process import connect_ledger

    generation = ",".join(f"{name}={registry.generation(name)}" for name in registry.names())
    try:
        ledger = connect_ledger(settings)
        if ledger.models_generation() != generation:
            time.sleep(WORKERS_NOTICE_S)
            ledger.publish_models_generation(generation)
    except (QueueUnavailable, ConfigurationError):
        return False
    return True
