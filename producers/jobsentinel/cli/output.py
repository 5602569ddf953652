"""How answers are printed: JSON for programs, tables for people, both safe to show.

Text from postings is never read as markup, and tables keep to the width of the terminal, or to 80
columns where there is none, unless their figures need more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])

_LEAST_WIDTH: Final = 8
"""To which a column that gives way may shrink."""
_GREATEST_WIDTH: Final = 36
"""Of any other column, such that a job's id is never cut."""
_GAP: Final = 2
"""Between two columns."""


def json_option(command: F) -> F:
    """Add ``--json``, which reaches the command as ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON on stdout, a row a line."
    )(command)


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


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table of plain values and styled texts; None becomes a dash.

    A column's name says how it behaves: ``>`` is aligned to the right, ``~`` gives way when the
    terminal is narrow, ``~~`` takes several lines then.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    needed = [
        max([len(name.lstrip(">~")), *(_width(row[i]) for row in cells)])
        for i, name in enumerate(columns)
    ]
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    widths = _fitted(columns, needed)
    for name, width in zip(columns, widths, strict=True):
        made.add_column(
            Text(name.lstrip(">~")),
            justify="right" if name.startswith(">") else "left",
            width=width,
            no_wrap=not name.startswith("~~"),
            overflow="fold" if name.startswith("~~") else "ellipsis",
        )
    for row in cells:
        made.add_row(*row)
    print_whole(made, at_least=sum(widths) + _GAP * (len(columns) - 1))


def _cell(value: object) -> Text:
    return value if isinstance(value, Text) else Text(shown(value))


def _width(cell: Text) -> int:
    return max(line.cell_len for line in cell.split("\n", allow_blank=True))


def _fitted(columns: Sequence[str], needed: Sequence[int]) -> list[int]:
    """Return the widths of columns: those that give way share what the others leave."""
    giving_way = [i for i, name in enumerate(columns) if name.startswith("~")]
    widths = [0 if i in giving_way else min(n, _GREATEST_WIDTH) for i, n in enumerate(needed)]
    left = Console().width - _GAP * (len(columns) - 1) - sum(widths)
    # The narrowest first, so that what it does not use goes to the wider ones.
    for rank, i in enumerate(sorted(giving_way, key=lambda i: needed[i])):
        share = max(_LEAST_WIDTH, left // (len(giving_way) - rank))
        widths[i] = min(needed[i], share)
        left -= widths[i]
    return widths


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values in two columns."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in facts.items():
        made.add_row(Text(name, style="bold"), Text(shown(value)))
    print_whole(made)


def print_whole(made: Table, *, at_least: int = 0) -> None:
    """Print a table without the blanks that fill its lines up.

    It is ``at_least`` so wide, beyond the terminal if need be: a cut figure is a wrong one.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = max(console.width, at_least)
    with console.capture() as captured:
        console.print(made)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


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
    return printable(str(value))


def printable(text: str) -> str:
    """Return text whose control characters are written out, so that none reaches the terminal."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def percent(probability: float) -> str:
    """Return a probability as whole percent."""
    return f"{probability:.0%}"


def plural(count: int, noun: str) -> str:
    """Return ``count`` with its noun, such as ``1 posting`` or ``2,000 postings``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
