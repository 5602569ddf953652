"""What the heavy wing adds to `jobsentinel status`: the workers that answer, and the store."""

from __future__ import annotations

from typing import Any, Final

from jobsentinel.settings import Settings

PING_TIMEOUT_S: Final = 1.0


def report(settings: Settings) -> dict[str, Any]:
    """Return the names of the workers that answer within a second, and counts of the store."""
    return {"workers": _workers(settings), "store": _store(settings)}


def _workers(settings: Settings) -> list[str]:
    from jobsentinel_workers.app import create_app

    with create_app(settings) as app:
        answers = app.control.ping(timeout=PING_TIMEOUT_S)
    return sorted(name for answer in answers for name in answer)


def _store(settings: Settings) -> dict[str, Any]:
    from jobsentinel_workers.cli.opening import reading, sqlite_file
    from jobsentinel_workers.store import dead_letters, labels, postings, results, runs

    file = sqlite_file(settings)
    if file is not None and not file.is_file():
        return {"file": f"none yet at {file}"}
    with reading(settings) as connection:
        return {
            "postings": postings.count(connection),
            "results": results.count(connection),
            "labels": sum(labels.count_by_kind(connection).values()),
            "runs": len(runs.find(connection, limit=1_000_000)),
            "dead letters": dead_letters.count(connection),
        }
