"""What the heavy wing adds to `jobsentinel status`: the workers that answer, and the store."""

from __future__ import annotations

from typing import Any, Final

from jobsentinel.settings import Settings

ANSWER_TIMEOUT_S: Final = 1.0


def report(settings: Settings) -> dict[str, Any]:
    """Return the workers that answer within a second with their models, and counts of the store."""
    answers = _answers(settings)
    return {
        "workers": sorted(answers),
        **{key: _said(answers, part) for key, part in (("serving", "models"), ("index", "index"))},
        "store": _store(settings),
    }


def _said(answers: dict[str, dict[str, Any]], part: str) -> dict[str, Any]:
    """Return what workers say of their models or of their index; training workers have neither."""
    # A worker of an earlier release answers with an error: it is there, and tells nothing.
    return {name: answer[part] for name, answer in sorted(answers.items()) if answer.get(part)}


def _answers(settings: Settings) -> dict[str, dict[str, Any]]:
    from jobsentinel_workers.app import create_app
    from jobsentinel_workers.worker_status import COMMAND

    with create_app(settings) as app:
        answers = app.control.broadcast(COMMAND, reply=True, timeout=ANSWER_TIMEOUT_S)
    return {name: answer for each in answers or () for name, answer in each.items()}


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
