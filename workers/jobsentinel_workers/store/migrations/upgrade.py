"""Runs Alembic over a connection that already holds the writer's turn."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from jobsentinel.contract.errors import ConfigurationError

_ONE_AT_A_TIME: Final = threading.Lock()
"""Migrations reach their connection through ``alembic.op``, which the whole process shares."""


def configuration(connection: Connection) -> Config:
    """Return Alembic's settings for the revisions shipped with the package."""
    config = Config(attributes={"connection": connection})
    folder = str(Path(__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: Connection) -> None:
    """Apply the revisions that the database behind ``connection`` lacks.

    Raises:
        ConfigurationError: the database is at a revision this version does not know.
    """
    with _ONE_AT_A_TIME:
        try:
            command.upgrade(configuration(connection), "head")
        except CommandError as error:
            raise ConfigurationError(
                f"the store's tables do not fit this version of JobSentinel ({error}); "
                "they were probably made by a newer one: upgrade this one"
            ) from error
