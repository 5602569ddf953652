"""Taking a label back that somebody gave by mistake a moment ago.

It goes to the history, as a replaced one does, and nothing takes its place: the posting is
unlabelled again. A label that was replaced meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, delete, select

from jobsentinel_workers.store.label_rows import Label, as_history, checked_label, columns
from jobsentinel_workers.store.schema import label_history, labels
from jobsentinel_workers.store.upserts import insert_new


def withdraw(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Withdraw the label that was stored from ``row``, and return whether it was in force.

    Args:
        row: as `labels.add` took it, with its ``created_at``.
    """
    wanted = checked_label(0, row, None)
    mine = and_(labels.c.label_key == wanted.key, labels.c.created_at == wanted.created_at)
    found = connection.execute(select(*columns(labels)).where(mine)).one_or_none()
    if found is None or Label(*found).value_hash != wanted.value_hash:
        return False
    insert_new(connection, label_history, [as_history(Label(*found))])
    connection.execute(delete(labels).where(mine))
    return True
