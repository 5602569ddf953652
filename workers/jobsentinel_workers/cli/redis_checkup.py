"""What `jobsentinel doctor` says about Redis: there, new enough, and sure to keep jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import redis

from jobsentinel.cli.status import without_password
from jobsentinel.contract.errors import ConfigurationError
from jobsentinel.settings import Settings
from jobsentinel_workers.cli.finding import Finding, fail, ok, warn

OLDEST_REDIS: Final = (6, 2)


def redis_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what is to be known about the Redis that is set, or about the embedded one."""
    if settings.redis_url is None:
        embedded = _embedded()
        yield embedded
        if embedded.level == "FAIL":
            return
    try:
        url = settings.resolve_redis_url()
    except ConfigurationError:
        yield warn("redis", "the embedded server does not run", "start it: `jobsentinel up`")
        return
    client = redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3)
    try:
        yield from _server(client, without_password(url))
    except redis.RedisError as error:
        yield _unreachable(settings, without_password(url), error)
    finally:
        client.close()


def _embedded() -> Finding:
    from jobsentinel_workers.embedded import server_binary

    try:
        return ok("embedded server", str(server_binary()))
    except ConfigurationError as error:
        return fail("embedded server", "none for this platform", str(error))


def _unreachable(settings: Settings, address: str, error: redis.RedisError) -> Finding:
    if settings.redis_url is None:
        return warn("redis", "the embedded server does not run", "start it: `jobsentinel up`")
    return fail("redis", f"{address}: {error}", "start it, or correct JOBSENTINEL_REDIS_URL")


def _server(client: redis.Redis, address: str) -> Iterator[Finding]:
    info: Any = client.info("server")
    number = str(info.get("redis_version", "0"))
    found = f"{info.get('server_name', 'redis')} {info.get('valkey_version', number)} at {address}"
    if tuple(int(part) for part in number.split(".")[:2]) < OLDEST_REDIS:
        yield fail("redis", found, "Redis 6.2 or newer, or Valkey, is needed")
    else:
        yield ok("redis", found)
    yield _setting(
        client,
        "maxmemory-policy",
        "noeviction",
        "any other policy drops jobs when memory is short: CONFIG SET maxmemory-policy noeviction",
    )
    yield _setting(
        client,
        "appendonly",
        "yes",
        "jobs are lost when Redis restarts: CONFIG SET appendonly yes",
    )


def _setting(client: redis.Redis, name: str, wanted: str, advice: str) -> Finding:
    title = f"redis {name.removeprefix('maxmemory-')}"
    try:
        values: Any = client.config_get(name)
    except redis.ResponseError as error:  # managed servers often refuse CONFIG
        return warn(title, f"cannot be read ({error})", f"see to it that {name} is {wanted}")
    value = values.get(name)
    if value == wanted or value == wanted.encode():
        return ok(title, wanted)
    found = value.decode() if isinstance(value, bytes) else str(value)
    level = fail if name == "maxmemory-policy" else warn
    return level(title, found, advice)
