"""kombu's Redis transport, with an error that Celery knows where kombu has one that ends a worker.

A task that ends after its connection was dropped acknowledges its message on a channel that
belongs to nothing any more. kombu then asks None for a host name; that is an AttributeError, which
Celery's consumer takes for a fault of its own, and the worker exits. Named for what it is, the
consumer connects anew, and the ledger knows the message's second coming.
"""

from __future__ import annotations

from typing import Any

import redis
from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import Transport as RedisTransport


class Channel(RedisChannel):
    """A channel that says when its connection is gone."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection.client is None:
            raise redis.ConnectionError("the connection of this channel was closed")
        make_params: Any = super()._connparams  # untyped in kombu
        params: dict[str, Any] = make_params(asynchronous)
        return params


class Transport(RedisTransport):
    """A transport of such channels."""

    Channel = Channel
