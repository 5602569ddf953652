"""The script that starts Redis in compose and in Kubernetes, run against the real server."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from deployed import REPOSITORY

from jobsentinel_workers.children import end_with_parent
from jobsentinel_workers.embedded import server_binary
from jobsentinel_workers.redis_server import wait_until_usable

START = REPOSITORY / "deploy" / "kubernetes" / "components" / "redis" / "start.sh"
PASSWORD = "a-password-of-the-test"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "REDIS_PASSWORD": PASSWORD,
        "REDIS_SERVER": str(server_binary()),
        "REDIS_SETTINGS": str(tmp_path / "redis.conf"),
    }
    more = ["maxmemory 64mb", f"dir {tmp_path}", "bind 127.0.0.1", f"port {port}"]
    child = subprocess.Popen(
        ["sh", START, *more],
        env=environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
        start_new_session=True,
    )
    yield child
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise


def client_of(port: int, password: str | None) -> redis.Redis:
    return redis.Redis(host="127.0.0.1", port=port, password=password, decode_responses=True)


def wait_for(port: int) -> redis.Redis:
    client, deadline = client_of(port, PASSWORD), time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.ping()
            return client
        except redis.ConnectionError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


def test_the_server_keeps_all_asks_for_its_password_and_suits_the_workers(
    server: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    client = wait_for(port)

    wait_until_usable(client)
    told = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "maxmemory", "save")
    with pytest.raises(redis.AuthenticationError), client_of(port, None) as stranger:
        stranger.ping()
    arguments = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    settings = tmp_path / "redis.conf"

    assert told == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "maxmemory": str(64 * 1024**2),
        "save": "",
    }
    assert PASSWORD.encode() not in arguments
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    client.close()


def test_without_a_password_it_does_not_start() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "REDIS_PASSWORD"}

    done = subprocess.run(
        ["sh", START], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "set REDIS_PASSWORD" in done.stderr
