"""Reading labelled texts from a file of JSON Lines or CSV: every fault is told by its line.

A row has ``text`` and ``label``. A label is a name, a truth value or a whole number, which is a
name too; other numbers are values, of which a replay knows nothing.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jobsentinel.bounded_lines import MAX_LINE_BYTES, decoded_json, decoded_text, numbered_lines
from jobsentinel.contract.errors import InvalidInput

MOST_FAULTS: Final = 20
_NO_LABELS: Final = ("", "nan", "null", "none", "n/a")
"""What tables write where there is no label."""


def read_labelled_rows(path: Path) -> list[tuple[str, str]]:
    """Return text and label of each row; a name that ends in ``.csv`` is a table with a header.

    Raises:
        InvalidInput: rows are wrong, and each is named by its line up to `MOST_FAULTS` of them; or
            a column is missing.
    """
    read = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    rows: list[tuple[str, str]] = []
    faults: list[str] = []
    for number, row in read(path):
        if isinstance(row, InvalidInput):
            faults.append(f"{path.name}:{number}: {row}")
            continue
        try:
            rows.append((_text(row), _label(row)))
        except InvalidInput as fault:
            faults.append(f"{path.name}:{number}: {fault}")
    if faults:
        raise InvalidInput("labels", _listed(faults))
    return rows


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, object] | InvalidInput]]:
    with path.open("rb") as stream:
        for number, line in numbered_lines(stream):
            if not line.strip():
                continue
            try:
                value = decoded_json(line)
            except InvalidInput as fault:
                yield number, fault
                continue
            is_row = isinstance(value, dict)
            yield number, value if is_row else InvalidInput("line", "must be an object")  # type: ignore[misc]  # is_row says so


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, object] | InvalidInput]]:
    # The default limit of a cell, 131,072 characters, is less than a long posting.
    csv.field_size_limit(min(sys.maxsize, MAX_LINE_BYTES))
    with path.open("rb") as stream:
        lines = (decoded_text(line) for _, line in numbered_lines(stream))
        reader = csv.DictReader(lines, strict=True)
        try:
            for name in ("text", "label"):
                if name not in (reader.fieldnames or ()):
                    raise InvalidInput("labels", f"{path.name} has no column {name!r}")
            for row in reader:
                yield reader.line_num, _whole(row)
        except csv.Error as error:
            raise InvalidInput("labels", f"{path.name}:{reader.reader.line_num}: {error}") from None
        except InvalidInput as fault:
            if fault.field == "labels":
                raise
            where = f"{path.name}:{reader.line_num + 1}"
            raise InvalidInput("labels", f"{where}: {fault}") from None


def _whole(row: dict[str | None, object]) -> dict[str, object] | InvalidInput:
    if None in row:
        return InvalidInput("line", "has more cells than the header")
    return {str(name): value for name, value in row.items()}


def _text(row: dict[str, object]) -> str:
    text = row.get("text")
    if not isinstance(text, str):
        raise InvalidInput("text", _not(text, "text"))
    if not text.strip():
        raise InvalidInput("text", "is empty")
    return text


def _label(row: dict[str, object]) -> str:
    label = row.get("label")
    if isinstance(label, bool):
        return "yes" if label else "no"
    if isinstance(label, int):
        return str(label)
    if not isinstance(label, str):
        raise InvalidInput("label", _not(label, "a class"))
    if label.strip().casefold() in _NO_LABELS:
        raise InvalidInput(
            "label", "is missing" if not label.strip() else f"is {label!r}, no class"
        )
    return label.strip()


def _not(value: object, wanted: str) -> str:
    if value is None:
        return "is missing"
    return f"must be {wanted}, not {value!r:.40} of the kind {type(value).__name__}"


def _listed(faults: list[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    more = len(faults) - MOST_FAULTS
    shown = faults[:MOST_FAULTS] + ([f"and {more:,} more"] if more > 0 else [])
    return "\n  ".join([f"{len(faults):,} rows are wrong", *shown])
