"""Exact nearest-neighbour search over the postings' embeddings, in memory.

A search reads one immutable snapshot and takes no lock. A refresh asks the store what changed
since its last number and publishes a new snapshot. New rows are written behind the end that older
snapshots see; only overwriting a row copies the matrix.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, Select, and_, select

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.database import Database
from jobsentinel_workers.store.embeddings import CorruptVector, Vector, vector_from
from jobsentinel_workers.store.schema import embeddings, posting_deletions, postings

_ROWS_A_FETCH: Final = 2_000
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
    """

    def __init__(self, database: Database, encoder_id: str) -> None:
        self._database = database
        self._encoder_id = encoder_id
        self._snapshot = _Snapshot()
        self._refreshing = threading.Lock()
        self._kept: tuple[_Snapshot, Collection[str], Rows] | None = None

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
            for change in _changes(connection, self._encoder_id, draft.base.sequence):
                draft.apply(*change)
            self._snapshot = draft.publish(newest)
            self._kept = None  # it would keep the old matrix in memory
            return draft.applied

    def search(
        self, query: npt.ArrayLike, k: int, among: Collection[str] | None = None
    ) -> tuple[list[str], Vector]:
        """Return the ids of the ``k`` nearest postings and their cosines (k,), best first.

        Fewer come back when the index holds fewer. Equal cosines are in order of their ids.

        Args:
            query: a vector (d,); its length does not matter.
            k: how many postings are wanted.
            among: ids of the only postings to look at; those that are not indexed count for
                nothing. None looks at all. The rows of a frozenset are remembered for the next
                search.

        Raises:
            InvalidInput: ``query`` is not a finite, non-zero vector (d,), or ``k`` is below 1.
        """
        if k < 1:
            raise InvalidInput("k", f"must be at least 1, not {k}")
        direction = _unit_query(query)
        snapshot = self._snapshot
        if not snapshot.ids:
            return [], np.empty(0, dtype=np.float32)
        if direction.size != snapshot.buffer.shape[1]:
            expected = snapshot.buffer.shape[1]
            raise InvalidInput("query", f"has {direction.size} dimensions, the index {expected}")
        rows = _best_rows(snapshot.matrix, direction, k, self._rows(snapshot, among))
        cosines = _exact_cosines(snapshot.matrix[rows], direction)
        order = sorted(range(len(rows)), key=lambda i: (-cosines[i], snapshot.ids[rows[i]]))[:k]
        return [snapshot.ids[rows[i]] for i in order], cosines[order]

    def _rows(self, snapshot: _Snapshot, among: Collection[str] | None) -> Rows | None:
        if among is None:
            return None
        kept = self._kept  # one tuple, so that threads see it whole
        if kept is not None and kept[0] is snapshot and kept[1] is among:
            return kept[2]
        rows = snapshot.rows_of(among)
        if isinstance(among, frozenset):
            self._kept = snapshot, among, rows
        return rows


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
        self._write(row, _unit(vector))

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


Change = tuple[str, Vector | None]


def _changes(connection: Connection, encoder_id: str, since: int) -> Iterator[Change]:
    """Yield what changed after ``since``: removals first, then every posting's present vector."""
    gone = select(posting_deletions.c.posting_id).where(posting_deletions.c.change_seq > since)
    for posting_id in connection.scalars(gone):
        yield posting_id, None
    for chosen in (_changed_postings(encoder_id, since), _late_embeddings(encoder_id, since)):
        for row in _streamed(connection, chosen):
            yield row.id, None if row.vector is None else vector_from(row.vector, row.dim)


def _changed_postings(encoder_id: str, since: int) -> Select[Any]:
    # Without an embedding for its present text a posting leaves the index: its old vector
    # describes a text that it no longer has.
    mine = and_(
        embeddings.c.content_hash == postings.c.content_hash,
        embeddings.c.encoder_id == encoder_id,
    )
    return (
        select(postings.c.id, embeddings.c.dim, embeddings.c.vector)
        .select_from(postings.outerjoin(embeddings, mine))
        .where(postings.c.change_seq > since)
    )


def _late_embeddings(encoder_id: str, since: int) -> Select[Any]:
    """Embeddings that came in a later transaction than their posting."""
    return (
        select(postings.c.id, embeddings.c.dim, embeddings.c.vector)
        .join_from(embeddings, postings, embeddings.c.content_hash == postings.c.content_hash)
        .where(
            embeddings.c.encoder_id == encoder_id,
            embeddings.c.change_seq > since,
            postings.c.change_seq <= since,
        )
    )


def _streamed(connection: Connection, chosen: Select[Any]) -> Iterator[Row[Any]]:
    yield from connection.execute(chosen, execution_options={"yield_per": _ROWS_A_FETCH})


def _unit(vector: Vector) -> Vector:
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    return vector if norm == 0.0 else (vector / norm).astype(np.float32)


def _unit_query(query: npt.ArrayLike) -> Vector:
    vector = np.asarray(query, dtype=np.float32)
    if vector.ndim != 1:
        raise InvalidInput("query", f"must have the shape (d,), not {vector.shape}")
    if not np.isfinite(vector).all() or not vector.any():
        raise InvalidInput("query", "must be finite and not all zeros")
    return _unit(vector)


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
