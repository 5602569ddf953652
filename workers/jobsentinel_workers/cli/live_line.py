"""One line on stderr that says how things stand; without a terminal, a line for each change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from jobsentinel.cli.output import err

_NUMBERS = re.compile(r"\d+")


class LiveLine:
    """The present state, shown again only when its words change where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._last = ""

    def show(self, text: str) -> None:
        """Show ``text`` in place of the last one."""
        if not self._console.is_terminal:
            words = _NUMBERS.sub("", text)
            if words != self._last:
                self._last = words
                self._console.print(text, soft_wrap=True)
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def say(self, text: str) -> None:
        """Print ``text`` for good, above the line."""
        self._console.print(text, soft_wrap=True)

    def clear(self) -> None:
        """Take the line away; the next `show` brings it back."""
        if self._status is not None:
            self._status.stop()
            self._status = None


@contextmanager
def live_line() -> Iterator[LiveLine]:
    """Open a line that is gone at the end of the block."""
    line = LiveLine(err())
    try:
        yield line
    finally:
        line.clear()
