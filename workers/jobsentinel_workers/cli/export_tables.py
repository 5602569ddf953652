"""Scores as rows of a table, CSV or Parquet: the file appears under its name when it is whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from jobsentinel.cli.results_file import Write, results_file

_ROWS_AT_ONCE: Final = 5_000

Take = Callable[[Mapping[str, Any]], Any]


def _inside(*path: str) -> Take:
    """Return what takes a value out of nested mappings, or None where one of them is absent."""

    def take(row: Mapping[str, Any]) -> Any:
        value: Any = row
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return take


def _custom(row: Mapping[str, Any]) -> str | None:
    found = row["payload"].get("custom")
    return json.dumps(found, ensure_ascii=False) if found else None


COLUMNS: Final[Mapping[str, tuple[str, Take]]] = {
    "posting_id": ("string", _inside("item_id")),
    "duplicate_of": ("string", _inside("payload", "duplicate_of")),
    "category": ("string", _inside("payload", "category", "label")),
    "category_probability": ("float64", _inside("payload", "category", "probability")),
    "salary_year_usd": ("float64", _inside("payload", "salary_year_usd", "value")),
    "salary_year_usd_low": ("float64", _inside("payload", "salary_year_usd", "low")),
    "salary_year_usd_high": ("float64", _inside("payload", "salary_year_usd", "high")),
    "stated_salary": ("string", _inside("payload", "stated_salary", "text")),
    "stated_salary_low_year": ("float64", _inside("payload", "stated_salary", "low_year")),
    "stated_salary_high_year": ("float64", _inside("payload", "stated_salary", "high_year")),
    "stated_salary_currency": ("string", _inside("payload", "stated_salary", "currency")),
    "scam_probability": ("float64", _inside("payload", "scam", "probability")),
    "is_scam": ("bool_", _inside("payload", "scam", "is_scam")),
    "match_quality": ("float64", _inside("payload", "match_quality")),
    "custom": ("string", _custom),
    "model": ("string", _inside("model", "name")),
    "model_version": ("int64", _inside("model", "version")),
    "precision": ("string", _inside("model", "precision")),
    "job_id": ("string", _inside("job_id")),
    "created_at": ("string", _inside("created_at")),
    "change_seq": ("int64", _inside("change_seq")),
}
"""By name: Arrow's type, and where the value is; ``custom`` is JSON, its names are the user's."""


def is_table(path: Path) -> bool:
    """Return whether a file of this name is a table."""
    return path.suffix.lower() in {".csv", ".parquet"}


@contextmanager
def opened_output(path: Path) -> Iterator[Write]:
    """Give a function that writes a stored score to a table, or anything to JSON Lines."""
    if not is_table(path):
        with results_file(path) as write:
            yield write
        return
    part = path.with_name(f"{path.name}.part")
    writing = _parquet if path.suffix.lower() == ".parquet" else _csv
    try:
        with writing(part) as write:
            yield lambda row: write(_flat(row))
    except OSError as error:
        raise click.BadParameter(f"{part}: {error.strerror}", param_hint="--output") from None
    part.replace(path)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: take(row) for name, (_, take) in COLUMNS.items()}


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        yield writer.writerow


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
        [(name, getattr(pyarrow, kind)()) for name, (kind, _) in COLUMNS.items()]
    )
    rows: list[Mapping[str, Any]] = []
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
            rows.clear()

        def write(row: Mapping[str, Any]) -> None:
            rows.append(row)
            if len(rows) == _ROWS_AT_ONCE:
                flush()

        yield write
        flush()
