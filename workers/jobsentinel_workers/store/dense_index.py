"""Dense retrieval over the store: in memory up to a number of postings, by pgvector above it.

Memory is exact and quicker, and costs 1.5 kB a posting in each process; pgvector costs Postgres a
table and an index. Until these are made, and wherever they cannot be, memory goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

import numpy.typing as npt

from jobsentinel.contract.errors import StoreUnavailable
from jobsentinel.contract.filter_tree import Filter
from jobsentinel_workers.store import pgvector_building, pgvector_tables, postings
from jobsentinel_workers.store.database import Database
from jobsentinel_workers.store.pgvector_index import PgVectorIndex
from jobsentinel_workers.store.posting_filters import FilterCache
from jobsentinel_workers.store.stored_vectors import CorruptVector, Vector
from jobsentinel_workers.store.vector_index import VectorIndex

logger = logging.getLogger(__name__)


class DenseIndex:
    """The embeddings of one encoder, wherever they are searched; may be shared by threads.

    It starts empty: call ``refresh`` before each search. That also looks whether there are more
    than ``pgvector_above`` postings; then a thread makes pgvector ready, and the first refresh
    after that lets go of what is in memory. In a process that starts later nothing is read.

    Args:
        database: with the postings and their embeddings; only Postgres has pgvector.
        encoder_id: whose embeddings are searched.
        filters: what is known already of which postings match.
        pgvector_above: up to so many postings are searched in memory; None is any number.
    """

    def __init__(
        self,
        database: Database,
        encoder_id: str,
        filters: FilterCache | None = None,
        pgvector_above: int | None = None,
    ) -> None:
        self._database = database
        self._encoder_id = encoder_id
        self._above = pgvector_above if database.dialect == "postgresql" else None
        self._serving: VectorIndex | PgVectorIndex = VectorIndex(database, encoder_id, filters)
        self._builder: threading.Thread | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._serving)

    @property
    def encoder_id(self) -> str:
        """The encoder whose embeddings are searched."""
        return self._encoder_id

    @property
    def uses_pgvector(self) -> bool:
        """Whether searches go to pgvector now."""
        return isinstance(self._serving, PgVectorIndex)

    def refresh(self) -> int:
        """Follow the store; as `VectorIndex.refresh` or `PgVectorIndex.refresh`."""
        memory, above = self._serving, self._above
        if above is not None and isinstance(memory, VectorIndex) and self._is_large(memory, above):
            self._move()
        return self._serving.refresh()

    def search(
        self,
        query: npt.ArrayLike,
        k: int,
        among: Collection[str] | None = None,
        where: Filter | None = None,
    ) -> tuple[list[str], Vector]:
        """Return the ids of the ``k`` nearest postings and their cosines; as `VectorIndex`."""
        return self._serving.search(query, k, among, where)

    def count(self, where: Filter) -> int:
        """Return how many stored postings a filter matches."""
        return self._serving.count(where)

    def _is_large(self, memory: VectorIndex, above: int) -> bool:
        if len(memory):
            return len(memory) > above
        with self._database.connect() as connection:
            return postings.count(connection) > above

    def _move(self) -> None:
        """Go over to pgvector if it is ready, else have it made."""
        with self._database.connect() as connection:
            state = pgvector_tables.look(connection, self._encoder_id)
        with self._lock:
            if state is not None and state.is_ready:
                self._serving = PgVectorIndex(self._database, self._encoder_id, state.dimensions)
                logger.info("pgvector.serves encoder=%s", self._encoder_id)
            elif self._builder is None or not self._builder.is_alive():
                self._builder = threading.Thread(target=self._build, name="pgvector", daemon=True)
                self._builder.start()

    def _build(self) -> None:
        try:
            if pgvector_building.build(self._database, self._encoder_id):
                logger.info("pgvector.ready encoder=%s", self._encoder_id)
        except pgvector_building.PgvectorMissing as error:
            self._above = None  # not again before the next start: somebody has to do something
            logger.warning("pgvector.missing memory search goes on: %s", error)
        except StoreUnavailable as error:
            logger.warning("pgvector.not_ready %s", error)  # the next refresh tries again
        except CorruptVector as error:
            self._above = None
            logger.error("pgvector.not_ready memory search goes on: %s", error)
