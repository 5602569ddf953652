"""Lines of a file of any size: each bounded, decoded, and numbered from 1.

Nothing is read beyond the line at hand, so a file of gigabytes streams, and a line without an end
costs no more than the longest that may be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any, Final

from jobsentinel.contract.base import first_duplicate
from jobsentinel.contract.errors import InvalidInput

MAX_LINE_BYTES: Final = 8 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"


def numbered_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line; of one that is too long, just too much, and no more.

    A byte order mark at the beginning is left out.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield number, line.removeprefix(_BOM) if number == 1 else line
        if len(line) > MAX_LINE_BYTES:
            return


def filled_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """As `numbered_lines`, without blank ones, and going on behind one that is too long."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            _skip_rest(stream, line)
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, line


def _skip_rest(stream: IO[bytes], piece: bytes) -> None:
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(MAX_LINE_BYTES)


def decoded_text(line: bytes) -> str:
    """Return a line as text.

    Raises:
        InvalidInput: it is too long, or not UTF-8.
    """
    if len(line) > MAX_LINE_BYTES:
        raise InvalidInput("line", f"is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("line", f"is not UTF-8 (byte {error.start + 1})") from None


def decoded_json(line: bytes) -> object:
    """Return the JSON value of a line.

    Raises:
        InvalidInput: it is none, too long, not UTF-8, names a key twice, holds NaN, or is a list.
    """
    text = decoded_text(line)
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except InvalidInput:  # a ValueError too, from the hooks
        raise
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg} at character {error.pos + 1}"
        raise InvalidInput("line", f"{problem}; one object a line is expected") from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise InvalidInput("line", "is not JSON that can be read: too deep or too long") from None
    if isinstance(value, list):
        raise InvalidInput("line", "is a list; write one object a line, without a list around them")
    return value


def _refuse_constant(name: str) -> None:
    raise InvalidInput("line", f"holds {name}, which is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        repeated = first_duplicate([name for name, _ in pairs])
        raise InvalidInput(repeated[1] if repeated else "line", "is given twice")
    return made
