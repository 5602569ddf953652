"""What all commands of one invocation share: its settings and its way to the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobsentinel.contract.errors import ConfigurationError, QueueUnavailable

if TYPE_CHECKING:
    from jobsentinel.producer import Producer
    from jobsentinel.settings import Settings, WhenFull


@dataclass
class Session:
    """The global options; what depends on them is made on demand, since it takes time to load."""

    redis_url: str | None = None
    data_dir: Path | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings of the environment, changed by the global options.

        Raises:
            ConfigurationError: names the setting that is wrong.
        """
        from jobsentinel.settings import Settings

        return Settings.load(redis_url=self.redis_url, data_dir=self.data_dir)

    @contextmanager
    def producer(self) -> Iterator[Producer]:
        """Open a way to the fleet, without the outbox: somebody sits here and waits for answers.

        Raises:
            QueueUnavailable: nobody knows where Redis is.
        """
        from jobsentinel.producer import Producer

        settings = self.settings
        try:
            settings.resolve_redis_url()
        except ConfigurationError as error:
            raise QueueUnavailable(str(error)) from None
        full: WhenFull = "raise" if settings.when_full == "raise" else "block"
        with Producer(
            settings=settings, when_away="raise", when_full=full, keep_until_done=False
        ) as producer:
            yield producer


pass_session = click.make_pass_decorator(Session, ensure=True)
