"""What later labels and postings are held against: taken when a version goes into service.

``accuracy`` is that of the answers given up to then, ``reference`` a sample of the postings stored
then, by the hashes of their contents, since embeddings stay in the store under these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from jobsentinel_workers.active_learning.accuracy_drop import AccuracyDrop, Tally, compare_accuracy
from jobsentinel_workers.active_learning.drift import MIN_VECTORS, Drift, measure_drift
from jobsentinel_workers.loop.posting_samples import sample_contents, vectors_of
from jobsentinel_workers.loop.random_slice import MAX_RANDOM, RandomSlice
from jobsentinel_workers.loop.versions import Versions, learnt_up_to
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.loops import Loop

BEFORE_LABELS: Final = 200
"""Of the random labels before, so many of the newest count."""
MIN_BEFORE: Final = 30
"""With fewer there is nothing to compare with."""

Baseline = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Circle:
    """One loop with its model's versions and the encoder whose embeddings the postings have."""

    loop: Loop
    versions: Versions
    encoder_id: str | None

    def renewed(self, connection: Connection, seq: int) -> Baseline:
        """Return the baseline at a training that learnt the labels up to ``seq``."""
        fair = RandomSlice(self.loop.kind, self.loop.model, self.versions.learnt())
        before = fair.tally(connection, upto=seq, limit=BEFORE_LABELS)
        found: Baseline = {}
        if before.labels >= MIN_BEFORE:
            found["accuracy"] = _kept(before, seq)
        return found | self._reference(connection, seq)

    def completed(self, connection: Connection) -> Baseline:
        """Return the loop's baseline with what could not be taken before and can be now."""
        found = dict(self.loop.baseline)
        if "accuracy" not in found:
            first = self._answered(connection, after=self._learnt())
            if first.labels >= MIN_BEFORE:
                found["accuracy"] = _kept(first, changes.current(connection))
        if found.get("reference", {}).get("encoder_id") != self.encoder_id:
            found |= self._reference(connection, changes.current(connection))
        return found

    def accuracy(self, connection: Connection, error_rate: float) -> AccuracyDrop:
        """Return how right the version in service is on random labels since the baseline."""
        kept = self.loop.baseline.get("accuracy")
        if kept is None:
            now = self._answered(connection, after=self._learnt())
            return compare_accuracy(Tally(0, 0), now, error_rate=error_rate)
        now = self._answered(connection, after=kept["until_seq"])
        return compare_accuracy(Tally(kept["hits"], kept["labels"]), now, error_rate=error_rate)

    def drift(self, connection: Connection) -> Drift | None:
        """Return how far the postings since the baseline are from it; None while they are few."""
        reference = self.loop.baseline.get("reference")
        if reference is None or self.encoder_id is None:
            return None
        if reference["encoder_id"] != self.encoder_id:
            return None
        since = sample_contents(
            connection, self.encoder_id, seed=self.loop.kind, after=reference["until_seq"]
        )
        if len(since) < MIN_VECTORS:
            return None
        before = vectors_of(connection, self.encoder_id, reference["contents"])
        if len(before) < MIN_VECTORS:
            return None
        return measure_drift(before, vectors_of(connection, self.encoder_id, since))

    def _answered(self, connection: Connection, *, after: int) -> Tally:
        """Return how right the stored answers of the version in service are."""
        champion = self.versions.champion
        learnt = {} if champion is None else {champion.version: learnt_up_to(champion)}
        mine = RandomSlice(self.loop.kind, self.loop.model, learnt)
        return mine.tally(connection, after=after, limit=MAX_RANDOM)

    def _learnt(self) -> int:
        champion = self.versions.champion
        return 0 if champion is None else learnt_up_to(champion)

    def _reference(self, connection: Connection, seq: int) -> Baseline:
        if self.encoder_id is None:
            return {}
        contents = sample_contents(connection, self.encoder_id, seed=self.loop.kind, upto=seq)
        if len(contents) < MIN_VECTORS:
            return {}
        about = {"encoder_id": self.encoder_id, "until_seq": seq, "contents": contents}
        return {"reference": about}


def _kept(tally: Tally, seq: int) -> dict[str, int]:
    return {"hits": tally.hits, "labels": tally.labels, "until_seq": seq}
