"""BM25 search over the texts of all postings, in memory, in step with the store.

A search reads one immutable snapshot and takes no lock. A refresh reads the postings that changed
since its last number and publishes the next snapshot (`lexical_snapshots`). Whatever the order of
changes was, scores are those of an index made anew.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.reranking.lexical import bm25
from jobsentinel_workers.reranking.lexical_segments import Mask
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.database import Database
from jobsentinel_workers.store.kept_places import KeptPlaces
from jobsentinel_workers.store.lexical_snapshots import Draft, Snapshot
from jobsentinel_workers.store.schema import posting_deletions, postings

_POSTINGS_A_SEGMENT: Final = 500
"""While texts are read: some megabytes of words are in memory at a time."""
Scores = npt.NDArray[np.float64]


class LexicalIndex:
    """The words of all postings, searchable by BM25.

    May be shared by threads. It starts empty: call ``refresh`` before the first search and
    whenever new postings should be seen. 10,000 postings take some seconds the first time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshot = Snapshot()
        self._refreshing = threading.Lock()
        self._places: KeptPlaces[Snapshot, list[Mask]] = KeptPlaces(_masks)

    def __len__(self) -> int:
        return len(self._snapshot.places)

    @property
    def sequence(self) -> int:
        """The store's change number up to which this index has followed."""
        return self._snapshot.sequence

    def refresh(self) -> int:
        """Follow the store and return how many postings were added, changed or removed."""
        with self._refreshing, self._database.connect() as connection:
            base = self._snapshot
            newest = changes.current(connection)
            if newest == base.sequence:
                return 0
            # A smaller number is another store, such as a restored backup: start over.
            since = base.sequence if newest > base.sequence else 0
            draft = Draft(base if since else Snapshot())
            draft.remove(_removed(connection, since))
            changed = _changed(connection, since)
            while batch := dict(islice(changed, _POSTINGS_A_SEGMENT)):
                draft.add(batch)
            self._snapshot = draft.publish(newest)
            self._places.forget()
            return draft.applied

    def search(
        self, query_text: str, k: int, among: Collection[str] | None = None
    ) -> tuple[list[str], Scores]:
        """Return the ids of the ``k`` best postings and their scores (k,), best first, ties by id.

        Postings that hold no word of the query do not come back. ``among`` narrows the search to
        these ids; what a word is worth is still decided by all postings.

        Raises:
            InvalidInput: ``k`` is below 1.
        """
        if k < 1:
            raise InvalidInput("k", f"must be at least 1, not {k}")
        snapshot = self._snapshot
        alive = [shelf.part.alive for shelf in snapshot.shelves]
        wanted = alive if among is None else self._places.of(snapshot, among)
        scores = bm25(query_text, [shelf.part for shelf in snapshot.shelves])
        found: list[tuple[float, str]] = []
        for shelf, mask, shelf_scores in zip(snapshot.shelves, wanted, scores, strict=True):
            rows = _best_rows(np.where(mask, shelf_scores, 0.0), k)
            found += [(-float(shelf_scores[row]), shelf.ids[row]) for row in rows]
        best = sorted(found)[:k]
        return [id_ for _, id_ in best], np.array([-score for score, _ in best], dtype=np.float64)


def _removed(connection: Connection, since: int) -> Iterator[str]:
    gone = select(posting_deletions.c.posting_id).where(posting_deletions.c.change_seq > since)
    yield from connection.scalars(gone)


def _changed(connection: Connection, since: int) -> Iterator[tuple[str, str]]:
    chosen = select(postings.c.id, postings.c.text).where(postings.c.change_seq > since)
    options = {"yield_per": _POSTINGS_A_SEGMENT}
    for row in connection.execute(chosen, execution_options=options):
        yield row.id, row.text


def _masks(snapshot: Snapshot, among: Collection[str]) -> list[Mask]:
    """Return for each shelf which of its documents are among these ids."""
    masks = [np.zeros(shelf.part.segment.size, dtype=bool) for shelf in snapshot.shelves]
    for id_ in among:
        if (place := snapshot.places.get(id_)) is not None:
            masks[place[0]][place[1]] = True
    return masks


def _best_rows(scores: Scores, k: int) -> list[int]:
    """Return the rows with a score that can be among the best ``k``, all ties included."""
    bar = np.partition(scores, len(scores) - k)[len(scores) - k] if k < len(scores) else 0.0
    rows: list[int] = np.flatnonzero((scores >= bar) & (scores > 0)).tolist()
    return rows
