"""Small things that the tables of several commands share."""

from __future__ import annotations

import click

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows at most."
)


def minute(timestamp: str | None) -> str | None:
    """Return a stored time as month, day and minute, in UTC as it is stored."""
    return timestamp and timestamp[5:16].replace("T", " ")


def last_line(text: str) -> str:
    """Return what an error says, without the traceback before it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
