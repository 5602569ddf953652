"""Run the benchmarks: ``python -m benchmarks [--data DIR] [--output DIR]``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    flood,
    footprint,
    in_process,
    machine,
    queueing,
    reranking,
    scoring,
    searching,
    training,
)
from benchmarks.measure import Row
from benchmarks.real_postings import read_postings
from jobsentinel import Producer, Settings
from jobsentinel_workers.fleet import Fleet

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> int:
    """Measure, print a table, save JSON; 1 when a goal is missed."""
    arguments = _arguments()
    postings = read_postings(arguments.data)
    rows: list[Row] = [*footprint.import_time(), *searching.run(), *in_process.run(postings)]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(data_dir=Path(folder))
        with Fleet(settings) as fleet:
            fleet.wait_ready()
            changed = settings.model_copy(update={"redis_url": fleet.redis_url})
            with Producer(settings=changed) as producer:
                rows += scoring.run(producer, postings)
                rows += reranking.run(producer, postings)
                rows += footprint.resident_memory(fleet)
                rows += flood.run(producer, postings)
    with tempfile.TemporaryDirectory() as folder:
        rows += queueing.run(Path(folder), postings)
    rows += training.run(arguments.data)
    rows.append(_carried_over_scored(rows))
    _print(rows)
    _save(rows, arguments.output)
    return 0 if all(row.met is not False for row in rows) else 1


def _carried_over_scored(rows: list[Row]) -> Row:
    values = {row.name: row.value for row in rows}
    carried = values[f"carried at {queueing.CHUNK} postings a message"]
    scored = values["bulk scoring through the queue"]
    return Row("what the queue carries over what is scored", carried / scored, "x", ">= 20")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks" / "results")
    return parser.parse_args()


def _print(rows: list[Row]) -> None:
    print(machine.describe())
    for row in rows:
        mark = {True: "met", False: "MISSED", None: ""}[row.met]
        goal = f"goal {row.goal}" if row.goal else ""
        print(f"{row.name:58} {row.value:10.2f} {row.unit:14} {goal:18} {mark}")


def _save(rows: list[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "machine": machine.facts(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [row.as_dict() for row in rows],
    }
    path = folder / "latest.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"saved to {path}")


if __name__ == "__main__":
    sys.exit(main())
