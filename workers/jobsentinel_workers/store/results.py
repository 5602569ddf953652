"""Results of jobs: committed once, whoever computes them how often.

A job's transaction calls ``commit_job`` first. It says whether this attempt may still write: a
worker that was paused past its lease holds a lower fencing token than the one that took over
(Kleppmann, "How to do distributed locking", 2016).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update

from jobsentinel.contract.errors import LeaseLost
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.checks import checked_id, checked_json, chunks
from jobsentinel_workers.store.schema import job_commits, results
from jobsentinel_workers.store.timestamps import utc_now
from jobsentinel_workers.store.upserts import insert_new


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One item's result with the model that made it and its number on the store's clock."""

    job_id: str
    item_id: str
    task: str
    payload: dict[str, Any]
    model: dict[str, Any]
    fencing_token: int
    created_at: str
    change_seq: int


def commit_job(connection: Connection, job_id: str, token: int) -> bool:
    """Claim the right to commit this job: true for its first commit, false for a repeat.

    Raises:
        LeaseLost: an attempt with a higher token was here before; write nothing.
    """
    row = {"job_id": checked_id("job_id", job_id), "fencing_token": token}
    if insert_new(connection, job_commits, [{**row, "committed_at": utc_now()}]):
        return True
    mine = job_commits.c.job_id == job_id
    highest = connection.execute(select(job_commits.c.fencing_token).where(mine)).scalar_one()
    if token < highest:
        raise LeaseLost(f"job {job_id}: token {token} is older than {highest}; nothing was stored")
    connection.execute(update(job_commits).where(mine).values(fencing_token=token))
    return False


def committed(connection: Connection, job_id: str) -> bool:
    """Return whether the job's results are stored."""
    mine = select(job_commits.c.job_id).where(job_commits.c.job_id == job_id)
    return connection.execute(mine).first() is not None


def save(
    connection: Connection,
    job_id: str,
    task: str,
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    fencing_token: int,
    model: Mapping[str, Any] | None = None,
) -> int:
    """Store ``(item_id, payload)`` pairs of one job and return how many are new.

    ``item_id`` is the posting's id where the item is a posting. ``model`` is the stamp kept with
    each result: name, version, encoder, precision. Items of the job stored before stay.

    Raises:
        InvalidInput: a payload that JSON cannot hold, or an id that cannot be a key.
    """
    if not rows:
        return 0
    same = {
        "job_id": checked_id("job_id", job_id),
        "task": checked_id("task", task),
        "model": checked_json("model", dict(model or {})),
        "fencing_token": fencing_token,
        "created_at": utc_now(),
    }
    first = changes.allocate(connection, len(rows))
    return insert_new(
        connection,
        results,
        [
            {
                **same,
                "item_id": checked_id(f"results.{i}.item_id", item_id),
                "payload": checked_json(f"results.{i}.payload", payload),
                "change_seq": first + i,
            }
            for i, (item_id, payload) in enumerate(rows)
        ],
    )


def of_job(connection: Connection, job_id: str) -> list[StoredResult]:
    """Return a job's results in the order in which they were saved."""
    chosen = select(results).where(results.c.job_id == job_id).order_by(results.c.change_seq)
    return [StoredResult(*row) for row in connection.execute(chosen)]


def latest(
    connection: Connection, posting_ids: Iterable[str], task: str
) -> dict[str, StoredResult]:
    """Return the newest result of ``task`` for each posting that has one, by posting id."""
    found: dict[str, StoredResult] = {}
    for chunk in chunks(list(posting_ids)):
        newest = (
            select(func.max(results.c.change_seq))
            .where(results.c.task == task, results.c.item_id.in_(chunk))
            .group_by(results.c.item_id)
        )
        rows = connection.execute(select(results).where(results.c.change_seq.in_(newest)))
        found.update((row.item_id, StoredResult(*row)) for row in rows)
    return found


def find(
    connection: Connection,
    *,
    since: int = 0,
    task: str | None = None,
    posting_id: str | None = None,
    limit: int = 1_000,
) -> list[StoredResult]:
    """Return up to ``limit`` results after the change number ``since``, oldest first."""
    chosen = (
        select(results)
        .where(results.c.change_seq > since, *_filters(task, posting_id))
        .order_by(results.c.change_seq)
        .limit(limit)
    )
    return [StoredResult(*row) for row in connection.execute(chosen)]


def iterate(
    connection: Connection,
    *,
    since: int = 0,
    task: str | None = None,
    posting_id: str | None = None,
) -> Iterator[StoredResult]:
    """Yield all results after ``since``, oldest first, a page at a time in memory."""
    while page := find(connection, since=since, task=task, posting_id=posting_id):
        yield from page
        since = page[-1].change_seq


def count(connection: Connection, *, task: str | None = None, posting_id: str | None = None) -> int:
    """Return the number of results."""
    chosen = select(func.count()).select_from(results).where(*_filters(task, posting_id))
    return connection.execute(chosen).scalar_one()


def _filters(task: str | None, posting_id: str | None) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    if task is not None:
        chosen.append(results.c.task == task)
    if posting_id is not None:
        chosen.append(results.c.item_id == posting_id)
    return chosen
