"""The labels of a kind that the store holds, as rows to replay; nothing is written."""

from __future__ import annotations

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, labels


def stored_rows(database: Database, kind: str) -> list[tuple[str, str]]:
    """Return text and class of each posting that has a label of ``kind``.

    Where several people labelled a posting, the newest label counts.

    Raises:
        InvalidInput: there is none, or a value is no class.
    """
    newest: dict[str, tuple[str, str, str]] = {}
    with database.connect() as connection:
        for row in labels.training_texts(connection, kind):
            label = _class_of(row.value, kind, row.posting_id)
            if row.posting_id not in newest or newest[row.posting_id][0] <= row.created_at:
                newest[row.posting_id] = (row.created_at, row.text, label)
        kinds = labels.count_by_kind(connection)
    if not newest:
        there = ", ".join(f"{name} ({count:,})" for name, count in kinds.items()) or "none at all"
        raise InvalidInput(
            "kind", f"{kind!r:.80} has no label of a stored posting; there are {there}"
        )
    return [(text, label) for _, text, label in newest.values()]


def _class_of(value: object, kind: str, posting_id: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value.strip()
    name = type(value).__name__
    problem = f"has a value of the kind {name} for {posting_id!r:.80}; a replay needs classes"
    raise InvalidInput(f"kind.{kind}", problem)
