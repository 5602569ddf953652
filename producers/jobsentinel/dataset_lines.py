"""Rows out of files of lines: JSON Lines and CSV, either of them packed by gzip.

Every fault is told by file, line and field, and nothing is read beyond it.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jobsentinel.bounded_lines import decoded_json, decoded_text, numbered_lines
from jobsentinel.contract.base import Message
from jobsentinel.contract.datasets import ROW_OF_DATASET, DatasetTask
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.dataset_columns import IGNORED, Reading, check_columns, readings, without_ignored

if TYPE_CHECKING:
    from jobsentinel.dataset_files import Placed


class JsonLines:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name

    def placed(self, task: DatasetTask) -> Iterator[Placed]:
        """Yield the rows from the first, one in memory."""
        del task
        with opened(self._path) as stream:
            for number, line in numbered_lines(stream):
                if line.strip():
                    yield f"{self.name}:{number}: ", self._row(number, line)

    def _row(self, number: int, line: bytes) -> object:
        try:
            return without_ignored(decoded_json(line))
        except InvalidInput as error:
            where = f"{self.name}:{number}: {error.field}"
            raise InvalidInput(where, error.problem) from None


class Csv:
    """A header, then rows with commas between their cells; an empty cell is no value."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name

    def placed(self, task: DatasetTask) -> Iterator[Placed]:
        """Yield the rows from the first, one in memory."""
        kind = ROW_OF_DATASET[task]
        with opened(self._path) as stream:
            reader = csv.reader(self._texts(stream), strict=True)
            header = self._header(reader, kind)
            read = readings(kind)
            number = reader.line_num + 1  # where a row begins; it may go over several lines
            while (cells := self._cells(reader)) is not None:
                if cells:
                    where = f"{self.name}:{number}: "
                    yield where, self._row(where, header, cells, read)
                number = reader.line_num + 1

    def _texts(self, stream: IO[bytes]) -> Iterator[str]:
        for number, line in numbered_lines(stream):
            try:
                yield decoded_text(line)
            except InvalidInput as error:
                where = f"{self.name}:{number}: {error.field}"
                raise InvalidInput(where, error.problem) from None

    def _header(self, reader: Any, kind: type[Message]) -> list[str]:
        header = self._cells(reader)
        if header is None:
            raise InvalidInput(self.name, "is empty; the first line must name the columns")
        if len(header) == 1 and (found := [mark for mark in ";\t|" if mark in header[0]]):
            problem = f"has {found[0]!r} between its columns; commas are needed"
            raise InvalidInput(self.name, problem)
        if "labels" in kind.model_fields and "labels" in header:
            problem = "cannot be a column of CSV; answers to further questions need JSON Lines"
            raise InvalidInput(f"{self.name}: labels", problem)
        check_columns(header, kind, self.name)
        return header

    def _cells(self, reader: Any) -> list[str] | None:
        try:
            return next(reader, None)
        except csv.Error as error:
            problem = f"is not CSV ({error}); is a quotation mark not closed?"
            raise InvalidInput(f"{self.name}:{reader.line_num}: line", problem) from None

    def _row(
        self, where: str, header: list[str], cells: list[str], read: Mapping[str, Reading]
    ) -> dict[str, Any]:
        if len(cells) != len(header):
            problem = f"has {len(cells)} cells, and the header {len(header)}"
            raise InvalidInput(f"{where}line", problem)
        row: dict[str, Any] = {}
        for column, cell in zip(header, cells, strict=True):
            if column in IGNORED or not cell.strip():
                continue
            try:
                row[column] = read[column](cell)
            except InvalidInput as error:
                raise InvalidInput(f"{where}{column}", error.problem) from None
        return row


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked if its name ends in ``.gz``.

    Raises:
        InvalidInput: it cannot be read, or is no whole gzip file.
    """
    try:
        stream: IO[bytes]
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:  # type: ignore[assignment]  # both read bytes
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput(path.name, f"is not a whole gzip file ({error})") from error
    except OSError as error:
        raise InvalidInput(path.name, f"cannot be read: {error.strerror or error}") from error
