"""Postings out of a file, a folder of saved pages, or a frame, one after the other.

The kind of a file is told by the ending of its name; stdin holds JSON Lines unless it is said.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, Literal

from jobsentinel.bounded_lines import decoded_json, filled_lines
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel.dataset_lines import opened
from jobsentinel.sources.csv_rows import csv_rows
from jobsentinel.sources.fields import FieldMapping
from jobsentinel.sources.pages import MAX_PAGE_BYTES, page_rows
from jobsentinel.sources.placed import PlacedRows, given
from jobsentinel.sources.tables import frame_mappings, is_frame, parquet_rows

FileKind = Literal["jsonl", "csv", "parquet", "html"]
_KINDS: Final[Mapping[str, FileKind]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".html": "html",
    ".htm": "html",
}

CheckColumns = Callable[[list[str], str], None]


def read_postings(
    source: Any,
    *,
    fields: Mapping[str, str] | None = None,
    html: bool = False,
    separator: str | None = None,
    on_invalid: Callable[[str, InvalidInput], None] | None = None,
) -> Iterator[Posting]:
    """Yield the postings of a file, of a folder of saved pages, or of a frame.

    Args:
        source: a path (JSON Lines, CSV, either also with ``.gz``, Parquet, HTML with JSON-LD, or a
            folder of such pages), or a frame of pandas, polars or Arrow.
        fields: by field of a posting, its name in the source, such as ``{"title": "job_title"}``.
            The columns of python-jobspy are known.
        html: make text of descriptions that hold HTML; of pages it is always made.
        separator: between the cells of a CSV file; None is a comma, and a tab in ``.tsv``.
        on_invalid: called with the place and the error of a posting that breaks the contract, which
            is then left out; None raises the error.

    Raises:
        InvalidInput: names place and field of the first bad posting, or a missing column.
        ConfigurationError: the extra that reads such a file is not installed.
    """
    mapping = FieldMapping(fields, html=html)
    check = mapping.check_columns
    placed = (
        _frame_rows(source, mapping)
        if is_frame(source)
        else placed_rows(Path(source), check_columns=check, separator=separator)
    )
    for where, row in placed:
        try:
            yield mapping.posting(row())
        except InvalidInput as error:
            fault = InvalidInput(f"{where}: {error.field}", error.problem)
            if on_invalid is None:
                raise fault from None
            on_invalid(where, fault)


def _frame_rows(frame: Any, mapping: FieldMapping) -> PlacedRows:
    for number, row in enumerate(frame_mappings(frame, mapping)):
        yield f"row {number}", given(row)


def kind_of_file(path: Path) -> FileKind:
    """Return what a file holds by its name; one that says nothing holds JSON Lines."""
    return _KINDS.get(Path(path.name.lower().removesuffix(".gz")).suffix, "jsonl")


def placed_rows(
    path: Path,
    *,
    check_columns: CheckColumns,
    separator: str | None = None,
    kind: FileKind | None = None,
) -> PlacedRows:
    """Yield the rows of a file, of stdin when it is ``-``, or of the pages in a folder.

    Raises:
        InvalidInput: the file cannot be read, or ``check_columns`` refuses its columns.
    """
    if path.is_dir():
        for page in sorted(path.rglob("*.htm*")):
            yield from _page(page)
        return
    kind = kind or kind_of_file(path)
    if kind == "parquet":
        if str(path) == "-":
            raise InvalidInput("stdin", "cannot be Parquet, which is not read from its start")
        yield from parquet_rows(path, check_columns=lambda names: check_columns(names, path.name))
    elif str(path) == "-":
        yield from _streamed(sys.stdin.buffer, "stdin", kind, check_columns, separator or ",")
    else:
        mark = separator or ("\t" if ".tsv" in path.suffixes else ",")
        with opened(path) as stream:
            yield from _streamed(stream, path.name, kind, check_columns, mark)


def _page(path: Path) -> PlacedRows:
    with opened(path) as stream:
        content = stream.read(MAX_PAGE_BYTES + 1)
    rows = page_rows(content, path.name)
    try:
        yield from rows
    except InvalidInput as error:
        yield path.name, _raises(error)  # one page without a posting does not end a folder


def _raises(error: InvalidInput) -> Callable[[], object]:
    def read() -> object:
        raise InvalidInput("page", error.problem)

    return read


def _streamed(
    stream: IO[bytes], name: str, kind: FileKind, check_columns: CheckColumns, separator: str
) -> PlacedRows:
    if kind == "html":
        yield from page_rows(stream.read(MAX_PAGE_BYTES + 1), name)
    elif kind == "csv":
        yield from csv_rows(
            stream,
            name,
            separator=separator,
            check_columns=lambda columns: check_columns(columns, name),
        )
    else:
        for number, line in filled_lines(stream):
            yield f"{name}:{number}", partial(decoded_json, line)
