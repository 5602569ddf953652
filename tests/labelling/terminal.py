"""A person at a real terminal: the command in a process of its own behind a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from types import TracebackType

_PATIENCE_S = 60.0
# The pseudo-terminal is made the one that controls the process, so that Ctrl-C interrupts it.
_COMMAND = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "import sys; from jobsentinel.cli import main; sys.exit(main())"
)


def _without_size(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the size of whatever terminal the tests themselves run in."""
    return {name: v for name, v in environment.items() if name not in {"COLUMNS", "LINES"}}


class Terminal:
    """Runs `jobsentinel` with these arguments; leaving the block ends it, however it went."""

    def __init__(
        self, *arguments: str, environment: Mapping[str, str], rows: int = 40, columns: int = 100
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes_before = self.modes()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            env={**_without_size(os.environ), "TERM": "xterm", **environment},
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""
        self._read_to = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self._master)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def wait_for(self, text: str) -> str:
        """Wait until a text is shown after what was waited for before; return what came by then."""
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.seen[self._read_to :]:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.seen[self._read_to :]}"
            if not self._read(1.0) and self.process.poll() is not None and not self._read(0.1):
                break
        shown = self.seen[self._read_to :]
        assert text in shown, f"{text!r} is not in {shown}"
        end = shown.index(text) + len(text)
        self._read_to += end
        return shown[:end]

    def end(self) -> tuple[int, str]:
        """Wait for the command's end; return its exit code and what it said last."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._read(0.2) or self.process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on: {self.seen[self._read_to :]}"
        return self.process.wait(), self.seen[self._read_to :]

    def modes(self) -> list[object]:
        """Return how the terminal is set."""
        return list(termios.tcgetattr(self._master))[:4]

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._master], [], [], timeout_s)[0]:
            return False
        try:
            read = os.read(self._master, 65_536)
        except OSError:  # the other side is closed
            time.sleep(0.01)
            return False
        plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", read)
        self.seen += plain.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(read)
