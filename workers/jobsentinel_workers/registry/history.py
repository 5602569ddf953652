"""What happened to a model, one JSON object a line, only ever appended to.

The change itself is made first and written down after it, so a worker killed in between leaves a
change without a line; the next writer adds that line, marked ``recovered``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jobsentinel.contract.errors import ModelCorrupted
from jobsentinel_workers.registry.aliases import Aliases

HISTORY_NAME: Final = "history.jsonl"

Event = dict[str, Any]


def append_event(folder: Path, event: str, **details: Any) -> None:
    """Add one line, durably; the caller holds the model's lock."""
    entry = {"at": datetime.now(UTC).isoformat(), "event": event, **details}
    line = json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"
    path = folder / HISTORY_NAME
    with path.open("ab") as stream:
        _cut_torn_line(path, stream.fileno())
        stream.write(line.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())


def read_events(folder: Path) -> list[Event]:
    """Return every complete line, oldest first; a line torn by a crash never happened."""
    path = folder / HISTORY_NAME
    if not path.exists():
        return []
    complete, _, _torn = path.read_bytes().rpartition(b"\n")
    try:
        return [json.loads(line) for line in complete.splitlines() if line.strip()]
    except ValueError as error:
        raise ModelCorrupted(f"{path} has a line that is not JSON ({error}); restore it") from error


def catch_up(folder: Path, versions: Iterable[int], aliases: Aliases) -> None:
    """Write down what a killed process did but did not record."""
    events = read_events(folder)
    recorded = {event["version"] for event in events if event["event"] == "registered"}
    for version in sorted(set(versions) - recorded):
        append_event(folder, "registered", version=version, recovered=True)
    if aliases.generation > max((event.get("generation", 0) for event in events), default=0):
        append_event(folder, "aliases_changed", **alias_facts(aliases), recovered=True)


def alias_facts(aliases: Aliases) -> dict[str, Any]:
    """Return what a line says of the versions in service."""
    facts: dict[str, Any] = {
        "version": aliases.champion,
        "previous": aliases.previous,
        "generation": aliases.generation,
    }
    if aliases.split is not None:
        facts |= {"challenger": aliases.split.challenger, "share": aliases.split.share}
    return facts


def _cut_torn_line(path: Path, descriptor: int) -> None:
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        os.ftruncate(descriptor, content.rfind(b"\n") + 1)
