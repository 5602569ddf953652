"""Labels in the store: shared by all who label a kind, and there after a restart.

Nothing is remembered here but who labels what; whatever is asked is read from the store.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jobsentinel.contract import postings as contract
from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import RELEVANCE
from jobsentinel_workers.active_learning.label_memory import Batch, Handout, Progress, Taken
from jobsentinel_workers.active_learning.predictions import LabelledSamples
from jobsentinel_workers.active_learning.sample_checks import refuse_missing
from jobsentinel_workers.active_learning.samples import Label, Sample
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.audit.label_counts import label_counts
from jobsentinel_workers.labelling import stored_progress
from jobsentinel_workers.store import Database, changes, postings, reservations
from jobsentinel_workers.store import labels as stored
from jobsentinel_workers.store.checks import checked_id
from jobsentinel_workers.store.timestamps import utc_text

MAX_RESERVE_FOR_S: Final = 90 * 86_400.0
SOURCE: Final = "active-learning"


class StoredLabels:
    """A `LabelMemory` of one kind of label and one annotator; processes may share the store.

    Args:
        kind: of label, such as ``category``.
        annotator: who labels; what is handed out is reserved by this name.
        reserve_for_s: how long nobody else is given what was handed out.
        audit: the log in which changes of labels are entered, in the transaction that makes them.
        now: the clock, in UTC.

    Raises:
        InvalidInput: the kind is ``relevance``, or the time is not above 0 and at most 90 days.
    """

    def __init__(
        self,
        database: Database,
        *,
        kind: str,
        annotator: str,
        reserve_for_s: float,
        audit: AuditLog | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if kind == RELEVANCE:
            raise InvalidInput("kind", f"{kind!r} belongs to a query, not to a posting alone")
        self._database = database
        self.kind = checked_id("kind", kind)
        self.annotator = checked_id("annotator", annotator)
        self._reserve_for = timedelta(seconds=_checked_time(reserve_for_s))
        self._audit = audit
        self._now = now

    def taken(self, pool: Sequence[Sample]) -> Taken:
        """Return what anybody labelled, what others hold, and what is not stored."""
        ids = [sample.id for sample in pool]
        with self._database.connect() as connection:
            known = postings.exists(connection, ids)
            return Taken(
                labelled=stored_progress.labelled_ids(connection, self.kind),
                reserved=reservations.held_by_others(
                    connection, self.kind, self.annotator, now=self._now()
                ),
                missing={id_ for id_ in ids if id_ not in known},
            )

    def labelled(self, candidates: Sequence[Sample]) -> LabelledSamples:
        """Return what is labelled, with its embeddings by the candidates' encoder.

        Candidates tell the encoder as `stored_pool` does, among their metadata; of those that do
        not, nothing stored can be said to compare with them.

        Raises:
            InvalidInput: the candidates' embeddings are by several encoders.
        """
        encoder_id = _encoder_of(candidates)
        if encoder_id is None:
            return LabelledSamples()
        with self._database.connect() as connection:
            return stored_progress.labelled_samples(connection, self.kind, encoder_id)

    def hand_out(self, batch: Batch) -> Handout | None:
        """Reserve a batch whole; None, and nothing reserved, if somebody was quicker."""
        if not batch.samples:
            return Handout()
        now, batch_id = self._now(), uuid.uuid4().hex
        until = now + self._reserve_for
        rows = [self._reservation(batch, at, batch_id) for at in range(len(batch.samples))]
        try:
            with self._database.begin() as connection:
                granted = reservations.reserve(
                    connection, rows, annotator=self.annotator, until=until, now=now
                )
                if len(granted) < len(rows):
                    raise _Overtaken
        except _Overtaken:
            return None
        return Handout(batch_id, until)

    def add(
        self,
        samples: Sequence[Sample],
        labels: Sequence[Label],
        seconds_spent: Sequence[float | None],
    ) -> int:
        """Store labels; each takes strategy, part and model version from its reservation.

        Raises:
            InvalidInput: a label does not fit its kind, or a sample is no stored posting.
        """
        given = zip(samples, labels, seconds_spent, strict=True)
        rows = [self._row(at, *each) for at, each in enumerate(given)]
        ids = [sample.id for sample in samples]
        with self._database.begin() as connection:
            refuse_missing(samples, set(ids) - postings.exists(connection, ids), "samples")
            changed = stored.add(connection, rows)
            if changed and self._audit is not None:
                counts = label_counts(rows, changed)
                self._audit.record(connection, "labels_changed", SOURCE, counts)
        return changed

    def labels(self) -> dict[str, Label]:
        """Return the newest label of each posting."""
        with self._database.connect() as connection:
            return stored_progress.newest_labels(connection, self.kind)

    def progress(self) -> Progress:
        """Return how far everybody came with this kind of label."""
        with self._database.connect() as connection:
            found = stored_progress.progress(connection, self.kind, self._now())
            mine = reservations.find(
                connection, annotator=self.annotator, kind=self.kind, now=self._now()
            )
            others = reservations.held_by_others(
                connection, self.kind, self.annotator, now=self._now()
            )
        who = {"kind": self.kind, "annotator": self.annotator}
        held = {"reserved": len(mine), "reserved_by_others": len(others)}
        return replace(found, details={**found.details, **who, **held})

    def mark_retrained(self, last_label_seq: int | None) -> None:
        """Count labels anew, those of this kind up to a number, by default all there are."""
        with self._database.begin() as connection:
            newest = changes.current(connection)
            seq = newest if last_label_seq is None else _checked_seq(last_label_seq, newest)
            stored_progress.note_trained(connection, self.kind, seq, utc_text(self._now()))

    def _row(self, at: int, sample: Sample, label: Label, spent: float | None) -> dict[str, Any]:
        given = {
            "posting_id": sample.id,
            "kind": self.kind,
            "value": label,
            "annotator": self.annotator,
            "seconds_spent": spent,
        }
        made = contract.Label.parse(given, at=f"labels.{at}")
        return dump(made) | {"source": SOURCE, "created_at": self._now()}

    def _reservation(self, batch: Batch, at: int, batch_id: str) -> dict[str, Any]:
        sample, pick = batch.samples[at], batch.picks[at]
        return {
            "posting_id": sample.id,
            "kind": self.kind,
            "batch_id": batch_id,
            "position": at,
            "strategy": batch.strategy,
            "chosen_by": pick.chosen_by,
            "model_version": sample.metadata.get("model_version"),
            "score": pick.score,
            "reason": pick.reason,
        }


class _Overtaken(Exception):
    """Somebody else holds part of a batch by now; what was reserved of it is rolled back."""


def _encoder_of(candidates: Sequence[Sample]) -> str | None:
    first: str | None = None
    for at, sample in enumerate(candidates):
        name = sample.metadata.get("encoder_id")
        if at and name != first:
            problem = f"is by the encoder {name!r}, those before it by {first!r}"
            raise InvalidInput(f"pool.{at}.embedding", f"{problem}: they do not compare")
        first = name
    return first


def _checked_time(seconds: Any) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidInput("reserve_for_s", f"must be seconds, not {type(seconds).__name__}")
    if not 0 < seconds <= MAX_RESERVE_FOR_S:
        problem = f"must be above 0 and at most {MAX_RESERVE_FOR_S:,.0f} s, not {seconds}"
        raise InvalidInput("reserve_for_s", problem)
    return float(seconds)


def _checked_seq(seq: Any, newest: int) -> int:
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq <= newest:
        problem = f"must be a number of the store, 0 to {newest}, not {seq!r:.40}"
        raise InvalidInput("last_label_seq", problem)
    return seq
