"""A whole fleet on one machine: the embedded server if none is set, both pools, beat and Flower.

`jobsentinel up` runs it in the foreground; the demo and the tests run it around their work.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from jobsentinel.contract.errors import ConfigurationError
from jobsentinel.contract.tasks import INFERENCE_QUEUES, TRAINING
from jobsentinel.settings import Settings
from jobsentinel_workers.children import end_with_parent
from jobsentinel_workers.embedded import EmbeddedServer

logger = logging.getLogger(__name__)

READY_TIMEOUT_S = 180.0
_QUEUES = {"inference": ",".join(INFERENCE_QUEUES), "training": TRAINING}


class Fleet:
    """Server, workers, beat and Flower as child processes; use it as a context manager.

    A child that ends by itself is started again, with a growing pause.
    """

    def __init__(self, settings: Settings, *, flower_port: int | None = None) -> None:
        self.settings = settings
        self._flower_port = flower_port
        self._stack = contextlib.ExitStack()
        self._commands: dict[str, list[str]] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._restart_at: dict[str, float] = {}
        self._restarts: dict[str, int] = {}
        self._environment: dict[str, str] = {}
        self._server: EmbeddedServer | None = None

    def __enter__(self) -> Fleet:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def redis_url(self) -> str:
        """The address producers use."""
        return self._environment["JOBSENTINEL_REDIS_URL"]

    @property
    def log_dir(self) -> Path:
        """Where each child's output goes."""
        return self.settings.data_dir / "logs"

    def pid_of(self, name: str) -> int | None:
        """Return the process id of ``inference``, ``training``, ``beat`` or ``flower``."""
        child = self._children.get(name)
        return child.pid if child and child.poll() is None else None

    def start(self) -> None:
        """Start everything; returns before the workers are ready.

        Raises:
            ConfigurationError: the embedded server cannot start.
        """
        self.log_dir.mkdir(parents=True, exist_ok=True)
        url = self.settings.redis_url
        if url is None:
            self._server = self._stack.enter_context(EmbeddedServer(self.settings))
            url = self._server.url
        self._environment = {**os.environ, **_as_environment(self.settings, url)}
        for name, queues in _QUEUES.items():
            self._commands[name] = _worker_command(name, queues)
        self._commands["beat"] = _celery("beat", "--loglevel", "WARNING")
        if self._flower_port is not None:
            self._commands["flower"] = _flower_command(self._flower_port, self.settings)
        for name in self._commands:
            self._spawn(name)

    def wait_ready(self, on_wait: Callable[[], None] = lambda: None) -> None:
        """Wait until both workers consume.

        Raises:
            ConfigurationError: one ended or was not ready in time; the message has its log's end.
        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        for name in _QUEUES:
            while not self.is_ready(name):
                if self._children[name].poll() is not None or time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"the {name} worker did not start:\n{self._tail(name)}"
                    )
                on_wait()
                time.sleep(0.1)

    def is_ready(self, name: str) -> bool:
        """Return whether the worker ``inference`` or ``training`` has begun to consume."""
        return self._ready_file(name).exists()

    def watch(self) -> None:
        """Start again what has ended; call it now and then.

        Raises:
            ConfigurationError: the embedded server is gone, so no worker can go on.
        """
        if self._server and self._server.process and self._server.process.poll() is not None:
            raise ConfigurationError("the embedded server ended; see valkey/valkey.log")
        for name, child in list(self._children.items()):
            if child.poll() is not None:
                self._respawn(name, child.returncode)

    def stop(self) -> None:
        """End the workers as their pools need it, then the server."""
        for child in self._children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.settings.shutdown_grace_s
        for name, child in self._children.items():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("fleet.killed name=%s", name)
                _kill_group(child)
        self._children.clear()
        self._stack.close()

    def _spawn(self, name: str) -> None:
        with (self.log_dir / f"{name}.log").open("ab") as log:
            self._ready_file(name).unlink(missing_ok=True)
            self._children[name] = subprocess.Popen(
                self._commands[name],
                env={
                    **self._environment,
                    "JOBSENTINEL_READY_FILE": str(self._ready_file(name)),
                },
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=end_with_parent,  # noqa: PLW1509  # calls one function of libc, takes no lock
                start_new_session=True,  # signals reach the workers through `stop` alone
            )

    def _respawn(self, name: str, code: int) -> None:
        now = time.monotonic()
        if name not in self._restart_at:
            pause = min(60.0, 1.0 * 2 ** self._restarts.get(name, 0))
            logger.error("fleet.child_ended name=%s code=%d again_in_s=%.0f", name, code, pause)
            self._restarts[name] = self._restarts.get(name, 0) + 1
            self._restart_at[name] = now + pause
        elif now >= self._restart_at[name]:
            del self._restart_at[name]
            self._spawn(name)

    def _ready_file(self, name: str) -> Path:
        return self.log_dir / f"{name}.ready"

    def _tail(self, name: str) -> str:
        log = (self.log_dir / f"{name}.log").read_text("utf-8", "replace")
        return log[-3000:]


def _as_environment(settings: Settings, url: str) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True, exclude={"redis_url"})
    if settings.audit_key is not None:
        values["audit_key"] = settings.audit_key.get_secret_value()  # a dump masks it
    return {
        **{f"JOBSENTINEL_{name.upper()}": str(value) for name, value in values.items()},
        "JOBSENTINEL_REDIS_URL": url,
    }


def _celery(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "jobsentinel_workers.app", *arguments]


def _worker_command(name: str, queues: str) -> list[str]:
    return _celery("worker", "-Q", queues, "-n", f"{name}@%h", "-E", "--loglevel", "INFO")


def _flower_command(port: int, settings: Settings) -> list[str]:
    return _celery(
        "flower",
        "--address=127.0.0.1",
        f"--port={port}",
        f"--cookie_secret={secrets.token_urlsafe(24)}",
        "--persistent=True",
        f"--db={settings.data_dir / 'flower.db'}",
    )


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
