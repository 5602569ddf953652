"""Exact nearest-neighbour search over the postings' embeddings, in memory.

A search reads one immutable snapshot and takes no lock. A refresh asks the store what changed
since its last number and publishes a new snapshot. New rows are written behind the end that older
snapshots see; only overwriting a row copies the matrix.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.filter_tree import Filter
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.database import Database
from jobsentinel_workers.store.kept_places import KeptPlaces
from jobsentinel_workers.store.posting_filters import FilterCache
from jobsentinel_workers.store.stored_vectors import (
    CorruptVector,
    Vector,
    check_dimensions,
    check_search,
    unit,
    unit_query,
)
from jobsentinel_workers.store.vector_changes import changed_vectors

_FIRST_CAPACITY: Final = 1_024
_ROUNDING: Final = 1e-4
"""More than float32 can lose in a product of two unit vectors of up to 1,600 dimensions."""


_FEW: Final = 4
"""Copying rows out of the matrix costs so many times what a product over them does."""

Rows = npt.NDArray[np.intp]


def _no_rows() -> Vector:
    return np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The first ``len(ids)`` rows of ``buffer`` belong to ``ids``; nobody changes them any more."""

    ids: list[str] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    buffer: Vector = field(default_factory=_no_rows)
    sequence: int = 0

    @property
    def matrix(self) -> Vector:
        return self.buffer[: len(self.ids)]

    def rows_of(self, ids: Collection[str]) -> Rows:
        """Return the rows of those of ``ids`` that are here, each once and in order."""
        found = np.fromiter(map(self.positions.get, ids, repeat(-1)), np.intp, count=len(ids))
        named = np.zeros(len(self.ids), dtype=bool)
        named[found[found >= 0]] = True
        return np.flatnonzero(named)


class VectorIndex:
    """The embeddings of one encoder, normalised, float32 (n, d), searchable by cosine.

    May be shared by threads. It starts empty: call ``refresh`` before the first search and
    whenever new postings should be seen.

    Args:
        database: with the postings and their embeddings.
        encoder_id: whose embeddings are searched.
        filters: what is known already of which postings match.
    """

    def __init__(
        self, database: Database, encoder_id: str, filters: FilterCache | None = None
    ) -> None:
        self._database = database
        self._encoder_id = encoder_id
        self._filters = FilterCache() if filters is None else filters
        self._snapshot = _Snapshot()
        self._refreshing = threading.Lock()
        self._places: KeptPlaces[_Snapshot, Rows] = KeptPlaces(_Snapshot.rows_of)

    def __len__(self) -> int:
        return len(self._snapshot.ids)

    @property
    def encoder_id(self) -> str:
        """The encoder whose embeddings are searched."""
        return self._encoder_id

    @property
    def sequence(self) -> int:
        """The store's change number up to which this index has followed."""
        return self._snapshot.sequence

    def refresh(self) -> int:
        """Follow the store and return how many postings were added, changed or removed.

        Raises:
            CorruptVector: an embedding has lost its shape, or the encoder's dimensions differ.
        """
        with self._refreshing, self._database.connect() as connection:
            base = self._snapshot
            newest = changes.current(connection)
            if newest == base.sequence:
                return 0
            # A smaller number is another store, such as a restored backup: start over.
            draft = _Draft(base if newest > base.sequence else _Snapshot())
            for change in changed_vectors(connection, self._encoder_id, draft.base.sequence):
                draft.apply(*change)
            self._snapshot = draft.publish(newest)
            self._places.forget()  # it would keep the old matrix in memory
            return draft.applied

    def search(
        self,
        query: npt.ArrayLike,
        k: int,
        among: Collection[str] | None = None,
        where: Filter | None = None,
    ) -> tuple[list[str], Vector]:
        """Return the ids of the ``k`` nearest postings and their cosines (k,), best first.

        Fewer come back when the index holds fewer. Equal cosines are in order of their ids.

        Args:
            query: a vector (d,); its length does not matter.
            k: how many postings are wanted.
            among: ids of the only postings to look at; those that are not indexed count for
                nothing. None looks at all. The rows of a frozenset are remembered for the next
                search.
            where: looks only at what this filter matches; not together with ``among``.

        Raises:
            InvalidInput: ``query`` is not a finite, non-zero vector (d,), ``k`` is below 1, or
                both ``among`` and ``where`` are given.
        """
        direction = unit_query(query)
        check_search(k, among, where)
        snapshot = self._snapshot
        if not snapshot.ids:
            return [], np.empty(0, dtype=np.float32)
        check_dimensions(direction, snapshot.buffer.shape[1], self._encoder_id)
        if where is not None:
            among = self._matching(where)
        rows = None if among is None else self._places.of(snapshot, among)
        rows = _best_rows(snapshot.matrix, direction, k, rows)
        cosines = _exact_cosines(snapshot.matrix[rows], direction)
        order = sorted(range(len(rows)), key=lambda i: (-cosines[i], snapshot.ids[rows[i]]))[:k]
        return [snapshot.ids[rows[i]] for i in order], cosines[order]

    def count(self, where: Filter) -> int:
        """Return how many stored postings a filter matches."""
        return len(self._matching(where))

    def _matching(self, where: Filter) -> frozenset[str]:
        with self._database.connect() as connection:
            return self._filters.matching_ids(connection, where)


class _Draft:
    """The next snapshot in the making."""

    def __init__(self, base: _Snapshot) -> None:
        self.base = base
        self.applied = 0
        self._ids = list(base.ids)
        self._positions = dict(base.positions)
        self._buffer = base.buffer
        self._shared = len(base.ids)  # rows that a reader may be looking at

    def apply(self, posting_id: str, vector: Vector | None) -> None:
        """Set the posting's vector (d,); ``None`` removes the posting."""
        known = posting_id in self._positions
        if vector is not None:
            self._put(posting_id, vector)
        elif known:
            self._drop(posting_id)
        self.applied += known or vector is not None

    def publish(self, sequence: int) -> _Snapshot:
        """Return the finished snapshot."""
        return _Snapshot(self._ids, self._positions, self._buffer, sequence)

    def _put(self, posting_id: str, vector: Vector) -> None:
        row = self._positions.setdefault(posting_id, len(self._ids))
        if row == len(self._ids):
            self._ids.append(posting_id)
        self._write(row, unit(vector))

    def _drop(self, posting_id: str) -> None:
        # The last row takes the place of the removed one.
        row, last = self._positions.pop(posting_id), self._ids.pop()
        if last != posting_id:
            self._ids[row] = last
            self._positions[last] = row
            self._write(row, self._buffer[len(self._ids)])

    def _write(self, row: int, vector: Vector) -> None:
        if row >= len(self._buffer):
            self._move(max(_FIRST_CAPACITY, 2 * len(self._buffer)), vector.size)
        elif row < self._shared:
            self._move(len(self._buffer), vector.size)
        if vector.size != self._buffer.shape[1]:
            raise CorruptVector(
                f"one encoder has vectors of {vector.size} and {self._buffer.shape[1]} dimensions"
            )
        self._buffer[row] = vector

    def _move(self, capacity: int, dim: int) -> None:
        """Go on in a buffer of our own."""
        moved = np.empty((capacity, self._buffer.shape[1] or dim), dtype=np.float32)
        moved[: len(self._buffer)] = self._buffer if self._buffer.size else 0
        self._buffer, self._shared = moved, 0


def _best_rows(matrix: Vector, query: Vector, k: int, among: Rows | None) -> Rows:
    """Return the rows that can be among the best ``k``, ties and rounding included."""
    rows = np.arange(len(matrix)) if among is None else among
    if k >= len(rows):
        return rows
    cosines = _cosines(matrix, query, among)
    kth = np.partition(cosines, len(rows) - k)[len(rows) - k]
    best: Rows = rows[cosines >= kth - _ROUNDING]
    return best


def _cosines(matrix: Vector, query: Vector, among: Rows | None) -> Vector:
    if among is None:
        return matrix @ query
    if len(among) * _FEW < len(matrix):
        return matrix[among] @ query
    return (matrix @ query)[among]


def _exact_cosines(rows: Vector, query: Vector) -> Vector:
    """Return cosines (n,) that are alike for equal rows.

    A matrix product may round equal rows differently, by where they stand in it, and ties would
    then fall by chance.
    """
    cosines: Vector = (rows.astype(np.float64) * query).sum(axis=1).astype(np.float32)
    return cosines
