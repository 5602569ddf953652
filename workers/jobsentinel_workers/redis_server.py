"""What a worker asks of its Redis before it takes any work: there, new enough, and keeping all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import redis

from jobsentinel.contract.errors import ConfigurationError

logger = logging.getLogger(__name__)

OLDEST_REDIS: Final = (6, 2)
LOOK_AGAIN_S: Final = 2.0


def wait_until_usable(client: redis.Redis, on_look: Callable[[], None] = lambda: None) -> None:
    """Wait until the server answers and takes writes.

    A server that is away, still loading or a replica may change; its settings will not. After each
    look in vain ``on_look`` is called.

    Raises:
        ConfigurationError: it may evict keys, is too old, or does not know the password.
    """
    told = ""
    while (problem := _passing_problem(client)) is not None:
        if problem != told:
            logger.warning("redis.waiting %s", problem)
            told = problem
        on_look()
        time.sleep(LOOK_AGAIN_S)


def _passing_problem(client: redis.Redis) -> str | None:
    try:
        info: Any = client.info()
    except redis.AuthenticationError as error:
        raise ConfigurationError(f"JOBSENTINEL_REDIS_URL: {error}") from None
    except (redis.ConnectionError, redis.TimeoutError) as error:
        return str(error)
    refuse_unsafe_server(info)
    if info.get("role") not in (None, "master"):
        return "the server is a replica, which refuses to write"
    return None


def refuse_unsafe_server(info: dict[str, Any]) -> None:
    """Check what ``INFO`` says of a server.

    Raises:
        ConfigurationError: it may evict keys, or is too old.
    """
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        raise ConfigurationError(f"Redis {version} is too old: 6.2 or newer, or Valkey, is needed")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise ConfigurationError(
            f"Redis may drop jobs when its memory is short: maxmemory-policy is {policy}; "
            "set it: CONFIG SET maxmemory-policy noeviction"
        )
