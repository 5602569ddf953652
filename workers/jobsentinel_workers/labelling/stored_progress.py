"""How far labelling of a kind came, as the store has it: labels, what they lie at, and trainings.

Of several people's labels of one posting the newest to come counts, as in a training. Those that
belong to a query say nothing of the posting alone and are left out.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    distinct,
    func,
    select,
    update,
)

from jobsentinel_workers.active_learning.label_memory import Progress
from jobsentinel_workers.active_learning.predictions import LabelledSamples, task_of
from jobsentinel_workers.active_learning.samples import Label
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.store import loops
from jobsentinel_workers.store.schema import embeddings, labels, postings
from jobsentinel_workers.store.schema import loops as loops_table
from jobsentinel_workers.store.stored_vectors import expect_dimensions, vector_from
from jobsentinel_workers.store.upserts import insert_new


def labelled_ids(connection: Connection, kind: str) -> set[str]:
    """Return the ids of all postings that have a label of the kind, stored or not."""
    return set(connection.scalars(select(labels.c.posting_id).where(*_of_kind(kind)).distinct()))


def newest_labels(connection: Connection, kind: str) -> dict[str, Label]:
    """Return the newest label of each posting, by its id."""
    newest = _newest(kind)
    return {row.id: row.value for row in connection.execute(select(newest))}


def labelled_samples(connection: Connection, kind: str, encoder_id: str) -> LabelledSamples:
    """Return the newest labels whose postings have an embedding by ``encoder_id``, with these.

    Raises:
        CorruptVector: an embedding is damaged, or not as wide as the others.
    """
    newest = _newest(kind)
    found = connection.execute(
        select(newest.c.value, postings.c.content_hash, embeddings.c.dim, embeddings.c.vector)
        .join(postings, postings.c.id == newest.c.id)
        .join(
            embeddings,
            and_(
                embeddings.c.content_hash == postings.c.content_hash,
                embeddings.c.encoder_id == encoder_id,
            ),
        )
        .order_by(newest.c.change_seq)
    )
    values, vectors = [], []
    for value, content_hash, dim, raw in found:
        vectors.append(vector_from(raw, dim, content_hash))
        expect_dimensions({content_hash: vectors[-1]}, len(vectors[0]), encoder_id)
        values.append(value)
    return LabelledSamples(vectors, values)


def progress(connection: Connection, kind: str, now: datetime) -> Progress:
    """Return how far labelling came; before the first label, waiting begins ``now``."""
    loop = loops.get(connection, kind)
    newest = _newest(kind)
    counts = select(newest.c.value, func.count()).group_by(newest.c.value)
    by_value = Counter[str]()
    for value, count in connection.execute(counts):
        by_value[str(value)] += count
    trained_at = None if loop is None else loop.trained_at
    began = (
        trained_at
        or connection.execute(
            select(func.min(labels.c.created_at)).where(*_of_kind(kind))
        ).scalar_one()
    )
    return Progress(
        total_labels=by_value.total(),
        new_labels=_count_new(connection, kind, 0 if loop is None else loop.last_label_seq),
        label_counts=by_value,
        waiting_since=now if began is None else datetime.fromisoformat(began),
        details={"trained_at": trained_at},
    )


def note_trained(connection: Connection, kind: str, last_label_seq: int, trained_at: str) -> None:
    """Note in the kind's loop that labels up to a number were learnt.

    Where nobody started a loop, one is entered that is not active.
    """
    learnt = {"last_label_seq": last_label_seq, "trained_at": trained_at}
    mine = update(loops_table).where(loops_table.c.kind == kind)
    if not connection.execute(mine.values(**learnt)).rowcount:
        empty: dict[str, Any] = {"trigger": {}, "training": {}, "baseline": {}, "decision": {}}
        who = {"kind": kind, "model": _model_of(kind), "active": False, "created_at": trained_at}
        insert_new(connection, loops_table, [who | empty | learnt])


def _model_of(kind: str) -> str:
    """Return the model that a kind teaches unless somebody says otherwise."""
    return kind if task_of(kind) == kind else SCORING


def _count_new(connection: Connection, kind: str, since: int) -> int:
    """Count the postings that got a label, or another one, after a change number."""
    later = select(func.count(distinct(labels.c.posting_id))).where(
        *_of_kind(kind), labels.c.change_seq > since
    )
    return connection.execute(later).scalar_one()


def _newest(kind: str) -> FromClause:
    """Return the newest label of each posting as a table of ``id, value, change_seq``."""
    order = func.row_number().over(
        partition_by=labels.c.posting_id, order_by=labels.c.change_seq.desc()
    )
    ranked = (
        select(
            labels.c.posting_id.label("id"),
            labels.c.value,
            labels.c.change_seq,
            order.label("place"),
        )
        .where(*_of_kind(kind))
        .subquery()
    )
    return select(ranked).where(ranked.c.place == 1).subquery()


def _of_kind(kind: str) -> tuple[ColumnElement[bool], ...]:
    return labels.c.kind == kind, labels.c.query.is_(None)
