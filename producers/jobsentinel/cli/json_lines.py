"""Reading JSON Lines: streamed, strict, and every fault told by file and line.

A byte order mark, blank lines and Windows line ends are let pass; NaN, repeated keys, endless lines
and anything that is not UTF-8 are not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Final, Generic, TypeVar

import click

from jobsentinel.bounded_lines import MAX_LINE_BYTES, decoded_json, filled_lines
from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.sources.placed import PlacedRows

T = TypeVar("T")

MAX_FAULTS_LISTED: Final = 100

INPUT_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
skip_invalid_option = click.option(
    "--skip-invalid", is_flag=True, help="Leave bad lines out and list them on stderr (exit 3)."
)


class Rows(Generic[T]):
    """The rows of a file, or of stdin when it is ``-``, made by ``parse`` from each line's value.

    A row that ``parse`` refuses with `InvalidInput` ends the reading, and `settle` raises it once
    the rows before it are dealt with; with ``skip_invalid`` it is left out and counted. At the end
    of a ``with`` block the skipped rows are told, whatever ended it.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[object], T],
        *,
        skip_invalid: bool = False,
        limit: int | None = None,
    ) -> None:
        self._path = path
        self._parse = parse
        self._skip_invalid = skip_invalid
        self._limit = limit
        self._fault: InvalidInput | None = None
        self._listed: list[str] = []
        self.skipped = 0

    @property
    def name(self) -> str:
        """What messages call the file."""
        return "stdin" if str(self._path) == "-" else self._path.name

    def __iter__(self) -> Iterator[T]:
        self._fault, self._listed, self.skipped = None, [], 0
        for given, row in enumerate(self._readable(), start=1):
            yield row
            if given == self._limit:
                return

    def _readable(self) -> Iterator[T]:
        """Yield the rows that can be read; a fault of the file itself ends the reading."""
        try:
            for where, read in self._placed():
                try:
                    row = self._parse(read())
                except InvalidInput as error:
                    fault = InvalidInput(f"{where}: {error.field}", error.problem)
                    if not self._skip_invalid:
                        raise fault from None
                    self._note(fault)
                    continue
                yield row
        except InvalidInput as fault:
            self._fault = fault

    def _placed(self) -> PlacedRows:
        """Yield each row with its place: here the lines of a file."""
        with _opened(self._path) as stream:
            for number, line in filled_lines(stream):
                yield f"{self.name}:{number}", partial(decoded_json, line)

    def check(self) -> int | None:
        """Read a regular file once before its rows are used, and count them.

        So nothing of a bad file is sent. Of a pipe nothing can be known: then None.

        Raises:
            InvalidInput: names the first bad line.
        """
        if not (self._path.is_file() or self._path.is_dir()):
            return None
        count = sum(1 for _ in self)
        self._raise_fault()
        return count

    def __enter__(self) -> Rows[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for text in self._listed:
            complain(f"skipped: {text}")
        if self.skipped > len(self._listed):
            complain(f"skipped: {self.skipped - len(self._listed):,} more")
        if kind is not None and self._fault:
            complain(f"stopped reading: {self._fault}")

    def settle(self) -> ExitCode:
        """Return the exit code for what was read.

        Raises:
            InvalidInput: the fault that ended the reading.
        """
        self._raise_fault()
        return ExitCode.PARTLY_DONE if self.skipped else ExitCode.DONE

    def _raise_fault(self) -> None:
        if self._fault:
            raise self._fault

    def _note(self, fault: InvalidInput) -> None:
        self.skipped += 1
        if len(self._listed) < MAX_FAULTS_LISTED:
            self._listed.append(str(fault))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as stream:
        yield stream


def read_text(path: Path, field: str) -> str:
    """Return a text file's content, or that of stdin for ``-``.

    Raises:
        InvalidInput: it is not UTF-8, or longer than a line of JSON may be.
    """
    with _opened(path) as stream:
        raw = stream.read(MAX_LINE_BYTES + 1)
    if len(raw) > MAX_LINE_BYTES:
        raise InvalidInput(field, f"is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(field, f"is not UTF-8 (byte {error.start + 1})") from None


def all_rows(rows: Rows[T], field: str, limit: int) -> tuple[tuple[T, ...], ExitCode]:
    """Return all rows of a file that goes into one message, and the exit code for them.

    Raises:
        InvalidInput: a bad line, or more than ``limit`` rows.
    """
    collected: list[T] = []
    with rows:
        for row in rows:
            if len(collected) == limit:
                problem = f"{rows.name} has more than {limit:,} rows, which one request may hold"
                raise InvalidInput(field, problem)
            collected.append(row)
    return tuple(collected), rows.settle()
