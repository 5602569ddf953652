"""What a trainer hands over, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobsentinel_workers.gate import Verdict
from jobsentinel_workers.registry import ModelVersion

TIMED_TEXTS = 64
"""Of the frozen rows, so many are enough to time a model."""
FROZEN_FILE = "frozen_rows.json"

Judge = Callable[[Path, "ModelVersion | None"], Verdict]
"""From the folder of the new version and the champion, which may be absent, to the verdict."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model before it is registered.

    Attributes:
        kind: what loads it.
        save: writes it into a folder.
        metrics: of its validation.
        lineage: where it comes from; ``data_sha256`` is among it.
        judge: holds it against the champion on rows that neither has learnt from.
        frozen: keys of these rows, so that they never train a model of this name.
        report: for people.
    """

    kind: str
    save: Callable[[Path], object]
    metrics: dict[str, float]
    lineage: dict[str, Any]
    judge: Judge
    frozen: frozenset[str]
    report: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A registered version, and what the gate said of it."""

    version: int
    verdict: Verdict
    promoted: bool
