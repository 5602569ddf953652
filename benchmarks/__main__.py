"""Run the benchmarks: ``python -m benchmarks [--data DIR] [--output DIR] [--part NAME ...]``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import (
    flood,
    footprint,
    in_process,
    indexing,
    interactive_users,
    machine,
    pair_limits,
    queueing,
    reranking,
    retrieval,
    scoring,
    scraping,
    selecting_samples,
    training,
)
from benchmarks.measure import Row
from benchmarks.options import Options

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS: Final[Mapping[str, Callable[[Options], Iterable[Row]]]] = {
    "import": footprint.import_time,
    "retrieval": retrieval.run,
    "selection": selecting_samples.run,
    "score-in-process": in_process.run,
    "score": scoring.run,
    "rerank": reranking.run,
    "rank-correlation": pair_limits.correlation,
    "shortening": pair_limits.shortening,
    "index": indexing.run,
    "memory": footprint.memory,
    "users": interactive_users.run,
    "scraping": scraping.run,
    "flood": flood.run,
    "queue": queueing.run,
    "training": training.run,
}


def main() -> int:
    """Measure, print a table, save JSON; 1 when a goal is missed."""
    arguments = _arguments()
    # A fleet or a store that is in use has no part in this.
    for name in ("JOBSENTINEL_REDIS_URL", "JOBSENTINEL_DATABASE_URL"):
        os.environ.pop(name, None)
    options = Options(arguments.data, arguments.quick, arguments.index_postings, arguments.queries)
    print(machine.describe(), flush=True)
    rows = []
    for row in _measure(arguments.part or list(PARTS), options):
        rows.append(row)
        _print(row)
    name = "-".join(arguments.part or ["latest"])
    _save(rows, arguments.output, f"quick-{name}" if options.quick else name)
    return 0 if all(row.met is not False for row in rows) else 1


def _measure(parts: list[str], options: Options) -> Iterator[Row]:
    values: dict[str, float] = {}
    for part in parts:
        for row in PARTS[part](options):
            values[row.name] = row.value
            yield row
    if queueing.CARRY in values and scoring.BULK in values:
        ratio = values[queueing.CARRY] / values[scoring.BULK]
        yield Row("what the queue carries over what is scored", ratio, "x", ">= 20")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks" / "results")
    parser.add_argument("--part", choices=PARTS, action="append", help="this part alone")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that all runs")
    parser.add_argument("--index-postings", type=int, default=2_000, help="of part index")
    parser.add_argument("--queries", type=int, default=100, help="of part shortening")
    return parser.parse_args()


def _print(row: Row) -> None:
    mark = {True: "met", False: "MISSED", None: ""}[row.met]
    goal = f"goal {row.goal}" if row.goal else ""
    value = f"{row.value:,.2f}" if abs(row.value) >= 10 else f"{row.value:.3f}"
    line = f"{row.name:66} {value:>10} {row.unit:11} {goal:13} {mark:6} {row.note}"
    print(line.rstrip(), flush=True)


def _save(rows: list[Row], folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "machine": machine.facts(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [row.as_dict() for row in rows],
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"saved to {path}")


if __name__ == "__main__":
    sys.exit(main())
