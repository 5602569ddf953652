"""Nearest-neighbour search over the postings' embeddings by pgvector, in the store itself.

Nothing is kept in memory. A search is approximate, by HNSW, and goes on until a filter has let
enough by (``hnsw.iterative_scan``). Where a filter matches few postings, or fewer come back than
were asked for, the search is exact: a filter never makes results disappear.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Float,
    Select,
    Text,
    any_,
    func,
    literal,
    select,
    text,
)

from jobsentinel.contract.filter_tree import Filter
from jobsentinel_workers.store import changes, pgvector_tables
from jobsentinel_workers.store.database import Database
from jobsentinel_workers.store.posting_filters import matching
from jobsentinel_workers.store.schema import postings
from jobsentinel_workers.store.stored_vectors import (
    Vector,
    check_dimensions,
    check_search,
    unit_query,
)

EXACT_UP_TO: Final = 10_000
"""Of so many postings that a filter matches, each is compared: some tens of milliseconds."""
_LEAST_EF, _MOST_EF = 200, 1_000
"""Candidates that HNSW keeps while it searches; 1,000 is pgvector's limit."""

Narrowing = ColumnElement[bool] | None


class PgVectorIndex:
    """The embeddings of one encoder in a table of `pgvector_tables` that has its index.

    May be shared by threads. Removed and changed postings are seen at once, new embeddings by
    what wrote them, and those that an older version of JobSentinel wrote after ``refresh``.
    """

    def __init__(self, database: Database, encoder_id: str, dimensions: int) -> None:
        self._database = database
        self._encoder_id = encoder_id
        self._dimensions = dimensions
        self._table = pgvector_tables.table_of(encoder_id)
        self._counted = (-1, 0)

    def __len__(self) -> int:
        with self._database.connect() as connection:
            sequence = changes.current(connection)
            if self._counted[0] != sequence:
                found = select(func.count()).select_from(self._joined())
                self._counted = sequence, connection.execute(found).scalar_one()
            return self._counted[1]

    @property
    def encoder_id(self) -> str:
        """The encoder whose embeddings are searched."""
        return self._encoder_id

    def refresh(self) -> int:
        """Copy embeddings that the table lacks, and return how many those were.

        Raises:
            CorruptVector: one has lost its shape, is not finite, or has other dimensions.
        """
        copied = 0
        while self._is_behind():
            with self._database.begin() as connection:
                copied += pgvector_tables.follow(connection, self._encoder_id)
        return copied

    def search(
        self,
        query: npt.ArrayLike,
        k: int,
        among: Collection[str] | None = None,
        where: Filter | None = None,
    ) -> tuple[list[str], Vector]:
        """Return the ids of some ``k`` nearest postings and their cosines (k,), best first.

        As `VectorIndex.search`, but that a near one may be missed and another come in its place.
        """
        direction = unit_query(query)
        check_search(k, among, where)
        check_dimensions(direction, self._dimensions, self._encoder_id)
        with self._database.connect() as connection:
            _set_up(connection, k)
            narrowing = _narrowing(among, where)
            found: dict[str, float] = {}
            if not _is_narrow(connection, among, where):
                found = self._nearest(connection, direction, k, narrowing)
            if len(found) < k:
                found = self._nearest(connection, direction, k, narrowing, exactly=True)
        cosines = {id_: np.float32(-distance) for id_, distance in found.items()}
        best = sorted(cosines, key=lambda id_: (-cosines[id_], id_))
        return best, np.array([cosines[id_] for id_ in best], dtype=np.float32)

    def count(self, where: Filter) -> int:
        """Return how many stored postings a filter matches."""
        with self._database.connect() as connection:
            return _count(connection, matching(where))

    def _is_behind(self) -> bool:
        with self._database.connect() as connection:
            return pgvector_tables.is_behind(connection, self._encoder_id)

    def _nearest(
        self,
        connection: Connection,
        direction: Vector,
        k: int,
        narrowing: Narrowing,
        *,
        exactly: bool = False,
    ) -> dict[str, float]:
        _may_sort(connection, yes=exactly)
        rows = connection.execute(self._statement(direction, k, narrowing, exactly=exactly))
        return {row.id: row.distance for row in rows}

    def _statement(
        self, direction: Vector, k: int, narrowing: Narrowing, *, exactly: bool
    ) -> Select[Any]:
        """Return the query for ids and negative cosines of the ``k`` nearest."""
        embedding = self._table.c.embedding
        distance: ColumnElement[float] = embedding.op("<#>", return_type=Float())(direction)
        chosen = select(postings.c.id, distance.label("distance")).select_from(self._joined())
        if narrowing is not None:
            chosen = chosen.where(narrowing)
        if exactly:
            # A sum is not what the index is ordered by. Ties at the end fall by id then.
            return chosen.order_by(distance + 0.0, postings.c.id).limit(k)
        return chosen.order_by(distance).limit(k)

    def _joined(self) -> Any:
        same_text = self._table.c.content_hash == postings.c.content_hash
        return self._table.join(postings, same_text)


def _narrowing(among: Collection[str] | None, where: Filter | None) -> Narrowing:
    if where is not None:
        return postings.c.id.in_(matching(where))
    if among is None:
        return None
    return postings.c.id == any_(literal(sorted(among), ARRAY(Text)))


def _is_narrow(connection: Connection, among: Collection[str] | None, where: Filter | None) -> bool:
    if among is not None:
        return len(among) <= EXACT_UP_TO
    if where is None:
        return False
    return _count(connection, matching(where).limit(EXACT_UP_TO + 1)) <= EXACT_UP_TO


def _count(connection: Connection, chosen: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()


def _set_up(connection: Connection, k: int) -> None:
    """Set for this transaction how pgvector and the planner search."""
    width = min(_MOST_EF, max(_LEAST_EF, 2 * k))
    connection.execute(
        text(
            # Relaxed, since what comes back is sorted again and more is found that way.
            "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true),"
            " set_config('hnsw.ef_search', :width, true),"
            # A plan for any parameters cannot know that few rows are wanted.
            " set_config('plan_cache_mode', 'force_custom_plan', true),"
            " set_config('jit', 'off', true)"
        ),
        {"width": str(width)},
    )


def _may_sort(connection: Connection, *, yes: bool) -> None:
    """Say whether rows may be sorted; where they may not, only the HNSW index gives their order.

    The planner knows too little of filters to choose: it would at times compare all vectors.
    """
    switch = text("SELECT set_config('enable_sort', :switch, true)")
    connection.execute(switch, {"switch": "on" if yes else "off"})
