"""A lease that one process of the fleet holds at a time, and that ends with its holder.

It keeps work in the background from being done twice. Nothing is lost when two processes do hold it
for a moment, as after a long pause of the first: what they do must bear being done twice.
"""

from __future__ import annotations

from typing import Final

import redis

from jobsentinel.redis_client import unavailable

# KEYS[1]: string, the holder, gone when its lease is over. ARGV: the holder, the lease in ms.
_HOLD: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class FleetLease:
    """One lease by ``name`` of a namespace; ``owner`` is this process.

    Raises:
        QueueUnavailable: from any method, when Redis cannot be reached or refuses to write.
    """

    def __init__(
        self, client: redis.Redis, namespace: str, name: str, owner: str, *, lease_s: float
    ) -> None:
        self._key = f"{namespace}:{name}"
        self._owner = owner
        self._lease_ms = int(1_000 * lease_s)
        self._hold = client.register_script(_HOLD)
        self._release = client.register_script(_RELEASE)

    def hold(self) -> bool:
        """Take the lease or renew it; return whether this process holds it now."""
        with unavailable():
            return bool(self._hold(keys=[self._key], args=[self._owner, self._lease_ms]))

    def release(self) -> None:
        """Let others have it, if it is this process's."""
        with unavailable():
            self._release(keys=[self._key], args=[self._owner])
