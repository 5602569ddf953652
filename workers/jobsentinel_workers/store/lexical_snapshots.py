"""What searches of the lexical index see, and how the next state of it is made.

Each batch of changed postings becomes a segment; their older texts are masked out where they are.
Segments of like size are merged without reading texts again, as in the logarithmic method
(J. L. Bentley and J. B. Saxe, "Decomposable searching problems I", 1980). So a posting is cut into
words once, and the work for it hardly grows with the index, whatever order changes come in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from jobsentinel_workers.reranking.lexical_segments import Mask, Part, build_segment, merge

_MERGED_WHEN_BELOW: Final = 2
"""A segment is merged with the next one when it is less than so many times as large."""


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """A part of the index and the ids of its documents."""

    part: Part
    ids: list[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What searches see; nobody changes it. ``places`` has shelf and row of each posting."""

    shelves: tuple[Shelf, ...] = ()
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    sequence: int = 0


class Draft:
    """The next snapshot in the making."""

    def __init__(self, base: Snapshot) -> None:
        self.applied = 0
        self._shelves = list(base.shelves)
        self._places = dict(base.places)
        self._masks: dict[int, Mask] = {}

    def remove(self, ids: Iterable[str]) -> None:
        """Leave out postings; those that are not there do not matter."""
        self.applied += sum([self._mask_out(id_) for id_ in ids])

    def add(self, texts: dict[str, str]) -> None:
        """Add postings by id; those that are there already change their text."""
        for id_ in texts:
            self._mask_out(id_)
        self.applied += len(texts)
        segment = build_segment(texts.values())
        self._apply_masks()
        self._shelves.append(Shelf(Part.of(segment), list(texts)))
        self._merge()
        self._number(len(self._shelves) - 1)

    def publish(self, sequence: int) -> Snapshot:
        """Return the finished snapshot."""
        self._apply_masks()
        return Snapshot(tuple(self._shelves), self._places, sequence)

    def _mask_out(self, id_: str) -> bool:
        place = self._places.pop(id_, None)
        if place is None:
            return False
        shelf, row = place
        if shelf not in self._masks:
            self._masks[shelf] = self._shelves[shelf].part.alive.copy()
        self._masks[shelf][row] = False
        return True

    def _apply_masks(self) -> None:
        for number, mask in self._masks.items():
            shelf = self._shelves[number]
            masked = Shelf(Part.of(shelf.part.segment, mask), shelf.ids)
            mostly_gone = 2 * masked.part.count < masked.part.segment.size
            self._shelves[number] = _merged([masked]) if mostly_gone else masked
            if mostly_gone:
                self._number(number)
        self._masks.clear()

    def _merge(self) -> None:
        """Merge from the end until each segment is well larger than the next."""
        first, size = len(self._shelves) - 1, self._shelves[-1].part.count
        while first and self._shelves[first - 1].part.count < _MERGED_WHEN_BELOW * size:
            first -= 1
            size += self._shelves[first].part.count
        if first < len(self._shelves) - 1:
            self._shelves[first:] = [_merged(self._shelves[first:])]

    def _number(self, number: int) -> None:
        shelf = self._shelves[number]
        for row in np.flatnonzero(shelf.part.alive).tolist():
            self._places[shelf.ids[row]] = (number, row)


def _merged(shelves: list[Shelf]) -> Shelf:
    ids = [shelf.ids[row] for shelf in shelves for row in np.flatnonzero(shelf.part.alive).tolist()]
    return Shelf(Part.of(merge([shelf.part for shelf in shelves])), ids)
