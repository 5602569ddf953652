"""A Redis server of a run's own, to be stopped, killed and frozen.

It is the program that the fleet embeds, with the same append-only file. Port and folder stay the
same over restarts.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import redis

from jobsentinel_workers.embedded import server_binary

from . import children

START_TIMEOUT_S = 30.0


class ChaosServer:
    """One server process; ``environment`` is added to its own."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = environment
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start, and wait until the server answers; what it had written is there again."""
        command = [
            str(server_binary()),
            *("--bind", "127.0.0.1", "--port", str(self._port), "--dir", str(self._folder)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ]
        self._process = children.start(command, self._folder / "server.log", self._environment)
        self._wait()

    def stop(self) -> None:
        """End it by SIGTERM, as an operator's restart does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)

    def kill(self) -> None:
        """End it by SIGKILL, frozen or not."""
        if self._process is not None:
            children.kill(self._process)

    def written_bytes(self) -> dict[Path, int]:
        """Return how long each part of the append-only file is."""
        return {part: part.stat().st_size for part in self._folder.glob("appendonlydir/*.aof")}

    def take_back(self, written_bytes: Mapping[Path, int]) -> None:
        """Cut the append-only file of a dead server to the lengths that it had."""
        for part, size in written_bytes.items():
            os.truncate(part, size)

    def freeze(self) -> None:
        """Stop the process without closing its connections."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a client of the suite's own."""
        return redis.Redis.from_url(self.url, socket_timeout=30, socket_connect_timeout=5)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with self.client() as client:
            while not _answers(client):
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server did not start: see {self._folder}/server.log")
                time.sleep(0.02)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # refused, or loading its file
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
