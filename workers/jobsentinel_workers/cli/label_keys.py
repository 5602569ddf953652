"""Keys as they are pressed, from a terminal that does not wait for the end of a line."""

from __future__ import annotations

import codecs
import os
import re
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

BACKSPACE: Final = "\x7f"
ENTER: Final = "\n"
MORE: Final = " "
END: Final = ""
"""What is read when nobody is there any more."""

_CHUNK_BYTES: Final = 1024
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-9;]*[@-~]|O[@-~])")
_SCROLLING: Final = frozenset({"\x1b[B", "\x1b[6~"})
"""Cursor down and page down, which show more of a text as the space bar does."""


class Keys:
    """Reads keys from an open terminal; see `keys_of`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""

    def next(self) -> str:
        """Return the next key, or ``END``; keys that send sequences are left out, but for two."""
        while True:
            key = self._first()
            if key is not None:
                return key
            try:
                read = os.read(self._descriptor, _CHUNK_BYTES)
            except OSError:  # the terminal is gone
                return END
            if not read:
                return END
            self._waiting += self._decoder.decode(read)

    def _first(self) -> str | None:
        """Take one key off what was read; None if that is not enough for one."""
        while self._waiting:
            found = _SEQUENCE.match(self._waiting)
            if found:
                self._waiting = self._waiting[found.end() :]
                if found[0] in _SCROLLING:
                    return MORE
                continue
            key, self._waiting = self._waiting[0], self._waiting[1:]
            if key == "\x04":
                return END
            if key != "\x1b":
                return {"\r": ENTER, "\b": BACKSPACE}.get(key, key)
        return None


@contextmanager
def keys_of(descriptor: int) -> Iterator[Keys]:
    """Give the keys of a terminal, which is put back as it was at the end.

    What is typed is not shown; Ctrl-C interrupts as ever.
    """
    before = termios.tcgetattr(descriptor)
    # Not flushed: somebody who knows the keys types ahead.
    tty.setcbreak(descriptor, termios.TCSADRAIN)
    try:
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
