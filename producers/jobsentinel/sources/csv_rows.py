"""Postings in CSV: a header that names the columns, then a row a line or several lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, Final

from jobsentinel.bounded_lines import decoded_text, numbered_lines
from jobsentinel.contract.base import first_duplicate
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.sources.placed import PlacedRows

_SEPARATORS: Final = ";\t|,"


def csv_rows(
    stream: IO[bytes],
    name: str,
    *,
    separator: str = ",",
    check_columns: Callable[[list[str]], None],
) -> PlacedRows:
    """Yield the rows of a CSV file as mappings, one in memory; an empty cell is no value.

    Raises:
        InvalidInput: it is no CSV, has another separator, or ``check_columns`` refuses its header.
    """
    reader = csv.reader(_texts(stream, name), delimiter=separator, strict=True)
    header = _header(reader, name, separator)
    check_columns(header)
    number = reader.line_num + 1  # where a row begins
    while (cells := _cells(reader, name)) is not None:
        if cells:
            yield f"{name}:{number}", partial(_row, header, cells)
        number = reader.line_num + 1


def _texts(stream: IO[bytes], name: str) -> Iterator[str]:
    for number, line in numbered_lines(stream):
        try:
            yield decoded_text(line)
        except InvalidInput as error:
            raise InvalidInput(f"{name}:{number}: {error.field}", error.problem) from None


def _header(reader: Any, name: str, separator: str) -> list[str]:
    header = _cells(reader, name)
    if header is None:
        raise InvalidInput(name, "is empty; the first line must name the columns")
    header = [column.strip() for column in header]
    if len(header) == 1:
        marks = [mark for mark in _SEPARATORS if mark != separator and mark in header[0]]
        if marks:
            problem = f"has {marks[0]!r} between its columns, not {separator!r}"
            raise InvalidInput(name, f"{problem}; say so (--separator {marks[0]!r})")
    if repeated := first_duplicate(header):
        raise InvalidInput(f"{name}: {repeated[1] or 'a column'}", "is the name of two columns")
    return header


def _cells(reader: Any, name: str) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        problem = f"is not CSV ({error}); is a quotation mark not closed?"
        raise InvalidInput(f"{name}:{reader.line_num}: line", problem) from None


def _row(header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise InvalidInput("line", f"has {len(cells)} cells, and the header {len(header)}")
    return {column: cell for column, cell in zip(header, cells, strict=True) if cell.strip()}
