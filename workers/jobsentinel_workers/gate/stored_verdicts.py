"""The verdict that lies in a version's folder, beside its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from jobsentinel_workers.gate.verdict import Verdict

VERDICT_FILE: Final = "gate.json"


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """Put the verdict into a folder that is to be registered."""
    text = json.dumps(verdict.to_json(), indent=1)
    (folder / VERDICT_FILE).write_text(text + "\n", encoding="utf-8")


def read_verdict(folder: Path) -> Verdict | None:
    """Return what the gate said of the version in ``folder``; None where nobody asked it."""
    path = folder / VERDICT_FILE
    return Verdict.from_json(json.loads(path.read_text("utf-8"))) if path.exists() else None
