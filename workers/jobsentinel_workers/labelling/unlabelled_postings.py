"""Stored postings without a label of a kind, page by page, with their newest stored scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    exists,
    func,
    select,
    type_coerce,
)

from jobsentinel.contract.filters import Filter
from jobsentinel_workers.labelling.stored_scores import ScoreReader, StoredScore
from jobsentinel_workers.store.checks import chunks
from jobsentinel_workers.store.posting_filters import matching
from jobsentinel_workers.store.schema import embeddings, labels, posting_facts, postings, results

_PAGE: Final = 500
_TASK: Final = "score"
_SCORE: Final = (results.c.item_id, type_coerce(results.c.payload, Text), results.c.change_seq)
"""The payload as text, for a quicker reader than the column's own."""


def pages(connection: Connection, kind: str, where: Filter | None) -> Iterator[Sequence[Row[Any]]]:
    """Yield rows of ``id, text, content_hash, change_seq``, newest posting first."""
    columns = postings.c.id, postings.c.text, postings.c.content_hash, postings.c.change_seq
    wanted = select(*columns).where(~_has_label(kind), *_matches(where))
    page = connection.execute(_newest(wanted)).all()
    while page:
        yield page
        older = wanted.where(postings.c.change_seq < page[-1].change_seq)
        page = connection.execute(_newest(older)).all()


def count_labelled(connection: Connection, kind: str, where: Filter | None) -> int:
    """Return how many stored postings have a label of the kind."""
    chosen = select(func.count()).select_from(postings).where(_has_label(kind), *_matches(where))
    return connection.execute(chosen).scalar_one()


def widest_encoder(connection: Connection) -> str | None:
    """Return the encoder that has encoded most stored postings, or None where none has.

    Of equals it is the one with the longest id: one that puts more beside another's embedding has
    that one's id and more.
    """
    name = embeddings.c.encoder_id
    counted = (
        select(name)
        .join(postings, postings.c.content_hash == embeddings.c.content_hash)
        .group_by(name)
        .order_by(func.count().desc(), func.length(name).desc(), name)
    )
    return connection.execute(counted.limit(1)).scalar_one_or_none()


def scores_of(
    connection: Connection, posting_ids: Sequence[str], reader: ScoreReader
) -> dict[str, StoredScore]:
    """Return the newest answer about each posting, by its id, where one is stored."""
    latest = list(_latest(connection, posting_ids))
    found = _read(latest, reader)
    # The newest scoring may have asked other models; then an earlier one counts.
    silent = [id_ for id_, _, _ in latest if id_ not in found]
    if silent:
        found |= _read(_oldest_first(connection, silent), reader)
    return found


def _read(stored: Iterable[Any], reader: ScoreReader) -> dict[str, StoredScore]:
    found = {}
    for id_, payload, change_seq in stored:
        # Several times as fast as the standard library, and names of classes are kept once.
        score = reader.read(from_json(payload, cache_strings="keys"), change_seq)
        if score is not None:
            found[id_] = score
    return found


def _latest(connection: Connection, posting_ids: Sequence[str]) -> Iterator[Any]:
    """Yield id, payload and number of the newest score of each posting."""
    for chunk in chunks(posting_ids):
        newest = (
            select(func.max(results.c.change_seq))
            .where(results.c.task == _TASK, results.c.item_id.in_(chunk))
            .group_by(results.c.item_id)
        )
        yield from connection.execute(select(*_SCORE).where(results.c.change_seq.in_(newest)))


def _oldest_first(connection: Connection, posting_ids: list[str]) -> Iterator[Any]:
    """Yield as `_latest`, but all scores: a posting may have many, so one by one."""
    mine = results.c.item_id.in_(posting_ids), results.c.task == _TASK
    chosen = select(*_SCORE).where(*mine).order_by(results.c.change_seq)
    yield from connection.execute(chosen, execution_options={"yield_per": _PAGE})


def _newest(chosen: Select[Any]) -> Select[Any]:
    return chosen.order_by(postings.c.change_seq.desc()).limit(_PAGE)


def _has_label(kind: str) -> ColumnElement[bool]:
    return exists().where(
        labels.c.posting_id == postings.c.id, labels.c.kind == kind, labels.c.query.is_(None)
    )


def _matches(where: Filter | None) -> Iterator[ColumnElement[bool]]:
    if where is not None:
        # Looked up posting by posting: a set of ids would be made anew for each page.
        yield matching(where).where(posting_facts.c.posting_id == postings.c.id).exists()
