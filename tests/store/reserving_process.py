"""Somebody who labels, as a process: ``python reserving_process.py ADDRESS ANNOTATOR POSTINGS``.

Asks for all postings two at a time, as everybody does at once, and prints those that were granted.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from jobsentinel_workers.store import Database, reservations

SOON = timedelta(hours=1)


def row(posting_id: str, **more: Any) -> dict[str, Any]:
    """A posting to reserve."""
    return {
        "posting_id": posting_id,
        "kind": "category",
        "batch_id": "batch",
        "position": 0,
        "strategy": "hybrid",
        "chosen_by": "margin",
        "model_version": "multi-task@3",
        "score": 0.25,
        "reason": "margin 0.75 between legal and sales",
        **more,
    }


def reserve_in_turn(address: str, annotator: str, postings: int) -> None:
    """Reserve two by two, and print what was granted."""
    database = Database.open(address)
    for first in range(0, postings, 2):
        rows = [row(f"p-{number}") for number in (first, first + 1)]
        with database.begin() as connection:
            until = datetime.now(UTC) + SOON
            for granted in reservations.reserve(connection, rows, annotator=annotator, until=until):
                print(granted)


if __name__ == "__main__":
    reserve_in_turn(sys.argv[1], sys.argv[2], int(sys.argv[3]))
