"""What `score` and `index` read: postings in files of several kinds, by any names of fields.

JSON Lines whose fields are those of a posting are read strictly, as ever; in tables and pages, and
where options say which field is which, what a posting has no field for is left out and told.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.json_lines import Rows
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel.sources.fields import FieldMapping
from jobsentinel.sources.placed import PlacedRows
from jobsentinel.sources.reading import FileKind, kind_of_file, placed_rows

F = TypeVar("F", bound=Callable[..., Any])

POSTINGS = click.Path(exists=True, allow_dash=True, path_type=Path)

_OPTIONS = (
    click.option(
        "--map",
        "pairs",
        multiple=True,
        metavar="FIELD=NAME",
        help="The name that FILE has for a posting's field, such as title=job_title.",
    ),
    click.option("--html", is_flag=True, help="Make text of descriptions that hold HTML."),
    click.option(
        "--ignore-unknown",
        is_flag=True,
        help="Leave out what a posting has no field for; always so in tables and with --map.",
    ),
    click.option(
        "--format",
        "kind",
        type=click.Choice(["jsonl", "csv", "parquet", "html"]),
        help="What FILE holds, where the ending of its name does not say it.",
    ),
    click.option(
        "--separator", metavar="MARK", help="Between the cells of CSV; a comma by default."
    ),
)


def source_options(command: F) -> F:
    """Add the options that say how a file is read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class PostingRows(Rows[Posting]):
    """The postings of a file, of a folder of saved pages, or of stdin for ``-``."""

    def __init__(
        self,
        path: Path,
        *,
        pairs: tuple[str, ...],
        html: bool,
        ignore_unknown: bool,
        kind: FileKind | None,
        separator: str | None,
        skip_invalid: bool,
        limit: int | None,
    ) -> None:
        self._kind = "html" if path.is_dir() else kind or kind_of_file(path)
        self._mapping = FieldMapping.parse(pairs, html=html)
        self._separator = _checked_separator(separator)
        self._strict = self._kind == "jsonl" and not (pairs or html or ignore_unknown)
        self._told = False
        parse = _strict_posting if self._strict else self._mapped
        super().__init__(path, parse, skip_invalid=skip_invalid, limit=limit)

    def _placed(self) -> PlacedRows:
        return placed_rows(
            self._path,
            check_columns=self._check_columns,
            separator=self._separator,
            kind=self._kind,
        )

    def _check_columns(self, columns: list[str], name: str) -> None:
        self._mapping.check_columns(columns, name)
        self._tell_unused(columns)

    def _mapped(self, row: object) -> Posting:
        if not self._told and isinstance(row, dict):
            self._tell_unused([str(name) for name in row])
        return self._mapping.posting(row)

    def _tell_unused(self, columns: list[str]) -> None:
        if self._told:
            return
        self._told = True
        unused = self._mapping.unused(columns)
        if unused:
            complain(f"left out, for a posting has no such field: {', '.join(unused)}")


def _strict_posting(row: object) -> Posting:
    try:
        return Posting.parse(row)
    except InvalidInput as error:
        if not error.problem.startswith("is not a field"):
            raise
        hint = "--map FIELD=NAME says what it is, --ignore-unknown leaves it out"
        raise InvalidInput(error.field, f"{error.problem}; {hint}") from None


def _checked_separator(separator: str | None) -> str | None:
    if separator in (r"\t", "tab"):
        return "\t"
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise InvalidInput("separator", f"is {separator!r}; it must be one character, or tab")
    return separator
