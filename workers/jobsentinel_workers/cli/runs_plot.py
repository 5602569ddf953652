"""A loss curve drawn with the dots of Braille characters, two across and four down in each.

The dots' bits are those of the Unicode block "Braille Patterns" (U+2800 to U+28FF).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

Point = tuple[float, float]
Dot = tuple[int, int]

_BLANK: Final = 0x2800
_BITS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""By row and column inside a character."""


def draw(
    points: Sequence[Point], width: int, height: int, *, last_x: float, braille: bool = True
) -> list[str]:
    """Return ``height`` lines of ``width`` characters in which ``points`` are joined.

    The first point is at the left edge and ``last_x`` at the right; the lowest value is at the
    bottom and the highest at the top.
    """
    dots = set(_joined([_place(point, points, width, height, last_x) for point in points]))
    shape = _braille if braille else _ascii
    return [
        "".join(shape(dots, column, row) for column in range(width)).rstrip()
        for row in range(height)
    ]


def _place(point: Point, points: Sequence[Point], width: int, height: int, last_x: float) -> Dot:
    first_x, values = points[0][0], [value for _, value in points]
    low, span = min(values), max(values) - min(values)
    across = (point[0] - first_x) / max(1e-12, last_x - first_x)
    down = 0.5 if span == 0 else 1.0 - (point[1] - low) / span
    return round(min(1.0, across) * (2 * width - 1)), round(down * (4 * height - 1))


def _joined(dots: Sequence[Dot]) -> Iterable[Dot]:
    """Yield the dots and those on the straight lines between neighbours."""
    yield from dots[:1]
    for (x0, y0), (x1, y1) in itertools.pairwise(dots):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(1, steps + 1):
            yield x0 + round((x1 - x0) * step / steps), y0 + round((y1 - y0) * step / steps)


def _braille(dots: set[Dot], column: int, row: int) -> str:
    bits = sum(
        bit
        for down, pair in enumerate(_BITS)
        for across, bit in enumerate(pair)
        if (2 * column + across, 4 * row + down) in dots
    )
    return chr(_BLANK + bits) if bits else " "


def _ascii(dots: set[Dot], column: int, row: int) -> str:
    hit = any((2 * column + x, 4 * row + y) in dots for x in range(2) for y in range(4))
    return "*" if hit else " "
