"""The connection to Redis, the same for both wings, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis

from jobsentinel.contract.errors import QueueUnavailable

_REFUSING: Final = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.MasterDownError,  # of a replica, while another server is made the master
    redis.ReadOnlyError,
)


def connect(url: str) -> redis.Redis:
    """Return a client with the time-outs that both wings use; nothing connects yet.

    Raises:
        ValueError: the address is malformed.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=5,
        socket_timeout=30,
        socket_keepalive=True,
        health_check_interval=25,
        # After a failover the address may lead elsewhere: connect anew, then try again.
        retry_on_error=[redis.ReadOnlyError],
    )


@contextmanager
def unavailable() -> Iterator[None]:
    """Raise QueueUnavailable in the place of errors that say that the server is away."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise QueueUnavailable(f"Redis cannot be reached: {error}") from error
    except _REFUSING as error:
        raise QueueUnavailable(f"Redis refuses to write: {error}") from error
    except redis.ResponseError as error:
        if str(error).startswith(("MISCONF", "BUSY", "NOREPLICAS")):
            raise QueueUnavailable(f"Redis refuses to write: {error}") from error
        raise
