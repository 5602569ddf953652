"""Circles of labelling and training: what each watches, what it trains, and where it stands.

A loop has one training at a time, and so has a model that several loops teach. Whoever claims it
first, of all processes that check at once, starts it; the others see that it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy import update as update_table

from jobsentinel_workers.store.checks import checked_id, checked_json
from jobsentinel_workers.store.schema import loops
from jobsentinel_workers.store.timestamps import utc_now
from jobsentinel_workers.store.upserts import insert_or_update


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop, as the store has it.

    Attributes:
        kind: of the labels that are to be learnt.
        model: that learns them.
        trigger: limits of the retraining trigger.
        training: which training, and its options.
        active: whether it is checked.
        last_label_seq: the change number up to which labels were learnt.
        trained_at: when the last training ended with a version.
        baseline: what later labels and postings are held against, and what the last attempt gave.
        run_id: of the training that is under way.
        checked_at: when somebody looked last.
        decision: what came of that.
        created_at: when it was started first.
    """

    kind: str
    model: str
    trigger: dict[str, Any]
    training: dict[str, Any]
    active: bool
    last_label_seq: int
    trained_at: str | None
    baseline: dict[str, Any]
    run_id: str | None
    checked_at: str | None
    decision: dict[str, Any]
    created_at: str


def start(
    connection: Connection,
    kind: str,
    model: str,
    *,
    trigger: Mapping[str, Any],
    training: Mapping[str, Any],
) -> Loop:
    """Enter a loop, or let one go on with these settings; what it learnt stays with its model.

    Raises:
        InvalidInput: what cannot be stored.
    """
    found = get(connection, kind)
    row: dict[str, Any] = {
        "kind": checked_id("kind", kind),
        "model": checked_id("model", model),
        "trigger": checked_json("trigger", dict(trigger)),
        "training": checked_json("training", dict(training)),
        "active": True,
    }
    if found is None or found.model != model:
        row |= {"last_label_seq": 0, "trained_at": None, "run_id": None, "checked_at": None}
        row |= {"baseline": {}, "decision": {}, "created_at": utc_now()}
        insert_or_update(connection, loops, [row])
    else:
        # Whoever starts it again wants the labels of an attempt that failed to be tried again.
        row["baseline"] = {k: v for k, v in found.baseline.items() if k != "attempt"}
        connection.execute(update_table(loops).where(loops.c.kind == kind).values(**row))
    return require(connection, kind)


def stop(connection: Connection, kind: str) -> bool:
    """Check a loop no more; false when it was not active. A training under way goes on."""
    active = update_table(loops).where(loops.c.kind == kind, loops.c.active)
    return connection.execute(active.values(active=False)).rowcount > 0


def get(connection: Connection, kind: str) -> Loop | None:
    """Return the loop of a kind of label, or ``None``."""
    row = connection.execute(select(loops).where(loops.c.kind == kind)).first()
    return None if row is None else Loop(*row)


def require(connection: Connection, kind: str) -> Loop:
    """Return the loop of a kind of label, which is known to be there."""
    return Loop(*connection.execute(select(loops).where(loops.c.kind == kind)).one())


def find(connection: Connection, *, active: bool | None = None) -> list[Loop]:
    """Return all loops, or those that are active or not, by kind."""
    chosen = select(loops).order_by(loops.c.kind)
    if active is not None:
        chosen = chosen.where(loops.c.active == active)
    return [Loop(*row) for row in connection.execute(chosen)]


def note_check(
    connection: Connection,
    seen: Loop,
    decision: Mapping[str, Any],
    baseline: Mapping[str, Any] | None = None,
) -> bool:
    """Note what a check came to; false, and nothing noted, if the loop moved on meanwhile."""
    values: dict[str, Any] = {"checked_at": utc_now()}
    values["decision"] = checked_json("decision", dict(decision))
    if baseline is not None:
        values["baseline"] = checked_json("baseline", dict(baseline))
    return _update(connection, seen, values)


def note_run(connection: Connection, seen: Loop, run_id: str, decision: Mapping[str, Any]) -> bool:
    """Claim the next training; true for the one caller that may send it.

    Nobody gets it while the loop, or another one of its model, has a training under way.
    """
    others = select(loops.c.kind).where(loops.c.model == seen.model, loops.c.run_id.is_not(None))
    if not seen.active or connection.execute(others).first() is not None:
        return False
    values = {
        "run_id": checked_id("run_id", run_id),
        "checked_at": utc_now(),
        "decision": checked_json("decision", dict(decision)),
    }
    return _update(connection, seen, values)


def note_trained(
    connection: Connection,
    seen: Loop,
    *,
    baseline: Mapping[str, Any],
    last_label_seq: int | None = None,
    trained_at: str | None = None,
) -> bool:
    """Close the training under way with what came of it; true for the one caller that did.

    Args:
        connection: of a write transaction.
        seen: the loop as it was when its training was looked at.
        baseline: what it is held against from now on.
        last_label_seq: of the labels that were learnt; None where nothing was.
        trained_at: when the version was made; None where there is none.
    """
    values: dict[str, Any] = {"run_id": None, "checked_at": utc_now()}
    values["baseline"] = checked_json("baseline", dict(baseline))
    if last_label_seq is not None:
        values["last_label_seq"] = max(seen.last_label_seq, last_label_seq)
    if trained_at is not None:
        values["trained_at"] = trained_at
    return _update(connection, seen, values)


def _update(connection: Connection, seen: Loop, values: Mapping[str, Any]) -> bool:
    """Change a loop that is still as it was seen; one writer works at a time, on every database."""
    same = (
        loops.c.kind == seen.kind,
        loops.c.model == seen.model,
        loops.c.active == seen.active,
        loops.c.last_label_seq == seen.last_label_seq,
        loops.c.run_id.is_not_distinct_from(seen.run_id),
        loops.c.baseline == seen.baseline,
    )
    return connection.execute(update_table(loops).where(*same).values(**values)).rowcount > 0
