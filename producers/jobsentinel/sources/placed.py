"""A row with its place: what every source yields, so that each fault can say where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Placed = tuple[str, Callable[[], object]]
"""Where a row is, such as ``jobs.csv:7``, and what reads it or raises `InvalidInput`."""

PlacedRows = Iterator[Placed]


def given(value: object) -> Callable[[], object]:
    """Return what gives a row that was read already."""
    return lambda: value
