"""How answers are printed: JSON for programs, tables for people, both safe to show.

Text from postings is never read as markup, and tables keep to the width of the terminal, or to 80
columns where there is none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Add ``--json``, which reaches the command as ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON on stdout, a row a line."
    )(command)


def out() -> Console:
    """Return the console for answers."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


def err() -> Console:
    """Return the console for messages and progress."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_json(value: Mapping[str, Any]) -> None:
    """Print ``value`` as one line of JSON in UTF-8, whatever the terminal's encoding."""
    sys.stdout.buffer.write(json_line(value))
    sys.stdout.buffer.flush()


def json_line(value: Mapping[str, Any]) -> bytes:
    """Return ``value`` as one line of JSON."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table; a column's name after ``>`` is aligned to the right."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        made.add_column(
            Text(name.removeprefix(">")),
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    return made


def add_row(table: Table, cells: Iterable[object]) -> None:
    """Add a row of plain values or styled texts; None becomes a dash."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(shown(cell)) for cell in cells))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, wrapped: Sequence[str] = ()
) -> None:
    """Print a table of plain values; columns named in ``wrapped`` may take several lines."""
    made = table(*columns)
    for column in made.columns:
        column.no_wrap = str(column.header) not in wrapped
    for row in rows:
        add_row(made, row)
    out().print(made)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values in two columns."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in facts.items():
        made.add_row(Text(name, style="bold"), Text(shown(value)))
    out().print(made)


def shown(value: object) -> str:
    """Return a value as people read it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def percent(probability: float) -> str:
    """Return a probability as whole percent."""
    return f"{probability:.0%}"


def thousands(amount: float) -> str:
    """Return an amount of money in thousands."""
    return f"{amount / 1000:,.0f}k"


def plural(count: int, noun: str) -> str:
    """Return ``count`` with its noun, such as ``1 posting`` or ``2,000 postings``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
