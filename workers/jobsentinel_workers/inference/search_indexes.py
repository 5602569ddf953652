"""The indexes of stored postings that a process keeps between requests, most of them in memory."""

from __future__ import annotations

import logging
import threading

from jobsentinel.contract.errors import StoreUnavailable
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.dense_index import DenseIndex
from jobsentinel_workers.store.lexical_index import LexicalIndex
from jobsentinel_workers.store.posting_filters import FilterCache

logger = logging.getLogger(__name__)


class SearchIndexes:
    """The indexes over one store: a vector index an encoder, one of words, and known filters.

    May be shared by threads. Each index starts empty and is refreshed by whoever searches it.

    Args:
        database: with the postings.
        pgvector_above: from how many postings on Postgres searches vectors itself; None is never.
    """

    def __init__(self, database: Database, pgvector_above: int | None = None) -> None:
        self.lexical = LexicalIndex(database)
        self.filters = FilterCache()
        self._database = database
        self._pgvector_above = pgvector_above
        self._vectors: dict[str, DenseIndex] = {}
        self._lock = threading.Lock()

    def vectors(self, encoder_id: str) -> DenseIndex:
        """Return the index of an encoder's embeddings."""
        with self._lock:
            if encoder_id not in self._vectors:
                self._vectors[encoder_id] = DenseIndex(
                    self._database, encoder_id, self.filters, self._pgvector_above
                )
            return self._vectors[encoder_id]

    def refresh(self, encoder_id: str) -> None:
        """Bring the index of an encoder's embeddings up to date."""
        self.vectors(encoder_id).refresh()

    def forget(self, encoder_id: str) -> None:
        """Drop the index of an encoder's embeddings; searches that still use it go on."""
        with self._lock:
            self._vectors.pop(encoder_id, None)

    def warm_up(self) -> threading.Thread:
        """Begin to read the words of all postings, and return the thread that does.

        Cutting 10,000 postings into words takes some seconds, which the first request by words
        would wait for; one that comes meanwhile waits for the rest.
        """
        thread = threading.Thread(target=self._read_words, name="words", daemon=True)
        thread.start()
        return thread

    def _read_words(self) -> None:
        try:
            self.lexical.refresh()
        except StoreUnavailable as error:
            logger.warning("words.not_read %s", error)  # the first request tries again


_known: dict[int, SearchIndexes] = {}
_known_lock = threading.Lock()


def open_indexes(database: Database, pgvector_above: int | None) -> SearchIndexes:
    """Make this process's indexes over a store, as `indexes_of` returns them from now on.

    To be called before the first search; indexes that are there are let go.
    """
    with _known_lock:
        _known[id(database)] = SearchIndexes(database, pgvector_above)
        return _known[id(database)]


def indexes_of(database: Database) -> SearchIndexes:
    """Return this process's indexes over a store; they are kept between requests."""
    with _known_lock:
        if id(database) not in _known:
            _known[id(database)] = SearchIndexes(database)
        return _known[id(database)]
