"""Postings that nobody delivers any more expire, if the setting says after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobsentinel import Producer, Settings
from jobsentinel_workers.jobs.reconciler import Reconciler
from jobsentinel_workers.store import Database, postings


def _deliver(database: Database, posting_id: str, days_ago: int) -> None:
    row = {
        "id": posting_id,
        "title": "Nurse",
        "description": "",
        "text": "Nurse",
        "content_hash": "nurse",
        "updated_at": datetime.now(UTC) - timedelta(days=days_ago),
    }
    with database.begin() as connection:
        postings.upsert(connection, [row])


def _left(database: Database) -> set[str]:
    with database.connect() as connection:
        return postings.exists(connection, ["old", "young"])


@pytest.mark.parametrize(
    ("days", "left"), [(None, {"old", "young"}), (60.0, {"old", "young"}), (30.0, {"young"})]
)
def test_the_reconciler_removes_what_has_not_come_for_as_long_as_the_setting_says(
    settings: Settings,
    producer: Producer,
    database: Database,
    days: float | None,
    left: set[str],
) -> None:
    _deliver(database, "old", 45)
    _deliver(database, "young", 15)
    changed = settings.model_copy(update={"expire_postings_days": days})

    Reconciler(changed, producer.ledger, database, "test").turn()

    assert _left(database) == left
