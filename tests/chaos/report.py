"""Shows the tallies: as a table for a terminal of 120 columns, as Markdown, and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from .tally import Tally

LEGEND: Final = """\
lost            accepted by the queue, and neither stored, nor a dead letter, nor cancelled
                when all is quiet
stored twice    jobs whose effect was written more than once, in a table without a key
computed twice  jobs that workers began more than once; allowed, for only storing must happen once
crashed         workers that ended by themselves; they are started again
recovery        fault of a worker: until each job that it had in hand was stored;
                other faults: from their end until the next job was stored"""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading of two lines, and what stands under it."""

    heading: tuple[str, str]
    value: Callable[[Tally], str]
    is_text: bool = False


COLUMNS: Final = (
    Column(("", "scenario"), lambda tally: tally.scenario, True),
    Column(("", "queue"), lambda tally: tally.side, True),
    Column(("jobs", "sent"), lambda tally: f"{tally.sent:,}"),
    Column(("results", "stored"), lambda tally: f"{tally.stored:,}"),
    Column(("dead", "letters"), lambda tally: f"{tally.dead:,}"),
    Column(("", "lost"), lambda tally: f"{tally.lost:,}"),
    Column(("stored", "twice"), lambda tally: f"{tally.stored_twice:,}"),
    Column(("computed", "twice"), lambda tally: f"{tally.computed_twice:,}"),
    Column(("", "faults"), lambda tally: f"{tally.faults:,}"),
    Column(("", "crashed"), lambda tally: f"{tally.crashed:,}"),
    Column(("recovery", "p50"), lambda tally: _seconds(tally.recovery_p50_s)),
    Column(("", "max"), lambda tally: _seconds(tally.recovery_max_s)),
)


def as_text(tallies: Sequence[Tally]) -> str:
    """Return the table with its legend."""
    rows = [[column.value(tally) for column in COLUMNS] for tally in tallies]
    headings = [[column.heading[line] for column in COLUMNS] for line in (0, 1)]
    widths = [max(map(len, cells)) for cells in zip(*headings, *rows, strict=True)]
    return "\n".join([*(_line(cells, widths) for cells in [*headings, *rows]), "", LEGEND])


def as_markdown(tallies: Sequence[Tally]) -> str:
    """Return the table for a README."""
    heading = [" ".join(column.heading).strip() for column in COLUMNS]
    rule = ["---" if column.is_text else "---:" for column in COLUMNS]
    rows = [[column.value(tally) for column in COLUMNS] for tally in tallies]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heading, rule, *rows]) + "\n"


def save(tallies: Sequence[Tally], skipped: dict[str, str], seed: int, path: Path) -> None:
    """Write everything as JSON, with the machine and the versions."""
    report = {
        "machine": machine(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "rows": [tally.as_dict() for tally in tallies],
        "skipped": skipped,
    }
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    packages = ("celery", "kombu", "redis")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (
        f"{cell:<{width}}" if column.is_text else f"{cell:>{width}}"
        for cell, width, column in zip(cells, widths, COLUMNS, strict=True)
    )
    return " ".join(aligned).rstrip()


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
