"""All settings of both wings, read once from the environment into a frozen object.

Each is the upper-case name behind ``JOBSENTINEL_``: ``JOBSENTINEL_REDIS_URL``, and so on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobsentinel.contract.errors import ConfigurationError

WhenFull = Literal["block", "raise", "outbox"]
WhenAway = Literal["outbox", "raise"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]


def default_data_dir() -> Path:
    """Return the folder for everything that is kept, by the XDG convention."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "jobsentinel"


class Settings(BaseSettings):
    """How this process finds the fleet and how the fleet behaves."""

    model_config = SettingsConfigDict(
        env_prefix="JOBSENTINEL_", env_parse_none_str="none", frozen=True, extra="forbid"
    )

    redis_url: str | None = None
    """``redis://`` or ``rediss://``; None is the embedded server of `jobsentinel up`."""
    data_dir: Annotated[Path, Field(default_factory=default_data_dir)]
    database_url: str | None = None
    """SQLAlchemy URL of the store; None is SQLite in the data folder."""
    namespace: Name = "jobsentinel"

    audit_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    """Key of the audit log; None is a file that is made in the data folder."""
    actor: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Who makes the changes that the audit log records; None is the user of the system."""

    max_queued_interactive: Annotated[int, Field(ge=1)] | None = 1_000
    """Messages that may wait in a queue before producers are held up; None is no limit."""
    max_queued_bulk: Annotated[int, Field(ge=1)] | None = 5_000
    max_queued_training: Annotated[int, Field(ge=1)] | None = 1_000
    when_full: WhenFull = "block"
    """What a producer does when its queue is full, or its rate is used up."""
    full_timeout_s: Annotated[float, Field(ge=0)] = 300.0
    """After so long a send that is blocked raises `QueueFull`."""
    producer_name: Name | None = None
    rate_limit_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Items a second of all producers of one name together; a posting is an item."""

    when_away: WhenAway = "outbox"
    """What a producer does when Redis cannot be reached."""
    keep_until_done: bool = False
    """Keep every job on disk until it is done, so that it outlives a server that is emptied."""
    outbox_max_bytes: Annotated[int, Field(ge=64 * 1024)] = 1024**3
    outbox_fsync: bool = True
    """Whether a job in the outbox outlives a power cut too, and not only its process."""
    outbox_check_s: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """Between two looks at what became of the jobs that are kept until they are done."""

    lease_s: Annotated[float, Field(ge=2, le=3600)] = 30.0
    """A killed worker's job is taken up again after this long at most, plus one reconciling."""
    reconcile_interval_s: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    lost_message_grace_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    retry_base_s: Annotated[float, Field(ge=0, le=600)] = 2.0
    result_ttl_s: Annotated[int, Field(ge=60)] = 24 * 3600
    """How long answers wait in Redis, and for how long a repeated request is recognised."""

    inference_threads: Annotated[int, Field(ge=1, le=256)] = 4
    """Bulk jobs a worker has in hand at once; they share one model and its batches."""
    cpu_threads: Annotated[int, Field(ge=1, le=512)] | None = None
    """Threads for arithmetic; None is the CPU limit of the container."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    encoder_path: Path | None = None
    """Folder of another base encoder; None is the packaged all-MiniLM-L6-v2."""
    sparse_path: Path | None = None
    """Folder of a ``SparseEncoder`` that reads what retrieval found; None leaves it out."""
    sparse_keep: Annotated[int, Field(ge=1, le=1_000)] = 60
    """How many of the best by it go on."""
    late_interaction_path: Path | None = None
    """Folder of a ``MultiVectorEncoder`` that reads what is left then; None leaves it out."""
    late_interaction_keep: Annotated[int, Field(ge=1, le=1_000)] = 40
    pgvector_above: Annotated[int, Field(ge=0)] | None = 200_000
    """From one more posting on, a Postgres store searches vectors itself; None is never, 0 always,
    and with SQLite it has no meaning."""
    expire_postings_days: Annotated[float, Field(ge=1, le=36_500)] | None = None
    """Stored postings that have not come for so many days are removed; None keeps them."""
    training_soft_limit_s: Annotated[int, Field(ge=60)] = 6 * 3600
    shutdown_grace_s: Annotated[float, Field(ge=1, le=3600)] = 25.0
    """Seconds between SIGTERM and SIGKILL; a worker gives back what it cannot end in time."""
    loop_check_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Seconds between two looks, by Celery beat, at whether a training is due."""
    watchdog_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """A worker that takes nothing for so long, while messages wait, connects anew."""

    @model_validator(mode="after")
    def _redis_scheme(self) -> Self:
        schemes = ("redis://", "rediss://", "unix://")
        if self.redis_url is not None and not self.redis_url.startswith(schemes):
            raise ValueError(
                "redis_url must start with redis:// or rediss:// (Valkey speaks it too)"
            )
        return self

    @model_validator(mode="after")
    def _rate_has_a_name(self) -> Self:
        if self.rate_limit_per_s is not None and self.producer_name is None:
            raise ValueError(
                "rate_limit_per_s is shared by all producers of one name: set producer_name too"
            )
        return self

    @classmethod
    def load(cls, **overrides: object) -> Settings:
        """Return the settings of this process; an override of None leaves a setting as it is.

        Raises:
            ConfigurationError: names the setting and what is wrong with it.
        """
        return cls._checked(overrides)

    def changed(self, **overrides: object) -> Settings:
        """Return these settings with others in their place; raises as `load`."""
        given = {name: value for name, value in overrides.items() if value is not None}
        return self._checked({**dict(self), **given}, keep_none=True) if given else self

    @classmethod
    def _checked(cls, values: Mapping[str, object], *, keep_none: bool = False) -> Settings:
        given = {name: value for name, value in values.items() if keep_none or value is not None}
        try:
            return cls(**given)  # type: ignore[arg-type]  # pydantic checks what callers pass
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = "_".join(map(str, first["loc"])) or "settings"
            raise ConfigurationError(f"JOBSENTINEL_{name.upper()}: {first['msg']}") from None

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'jobsentinel.db'}"

    @property
    def models_dir(self) -> Path:
        """The folder of the model registry."""
        return self.data_dir / "models"

    @property
    def endpoint_file(self) -> Path:
        """Where `jobsentinel up` writes the address of its embedded server."""
        return self.data_dir / "valkey" / "endpoint.json"

    @property
    def outbox_file(self) -> Path:
        """Where jobs wait for a Redis that is away."""
        return self.data_dir / "outbox" / f"{self.namespace}.db"

    def resolve_redis_url(self) -> str:
        """Return the address of Redis: the one set, or that of the running embedded server.

        Raises:
            ConfigurationError: neither is there.
        """
        if self.redis_url:
            return self.redis_url
        try:
            url: str = json.loads(self.endpoint_file.read_text("utf-8"))["url"]
        except FileNotFoundError:
            raise ConfigurationError(
                f"no Redis: set JOBSENTINEL_REDIS_URL, or run `jobsentinel up` with the data "
                f"folder {self.data_dir}"
            ) from None
        return url
