"""`results export` in tables and under conditions, over a real store."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from jobsentinel_workers.store import Database, results

Run = Callable[..., Result]


def payload(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "posting_id": name,
        "category": {"label": "healthcare", "probability": 0.9, "probabilities": {}},
        "salary_year_usd": {"value": 81000.0, "low": 60000.0, "high": 99400.0},
        "scam": {"probability": 0.02, "is_scam": False, "threshold": 0.5},
        "match_quality": 0.75,
        "custom": {},
        **changes,
    }


@pytest.fixture
def stored(database: Database) -> None:
    """Three scores, a copy, and a result of another task."""
    scam = {"probability": 0.9, "is_scam": True, "threshold": 0.5}
    rows = [
        payload("a"),
        payload("b", scam=scam, match_quality=0.25),
        payload("c", category={"label": "legal", "probability": 0.5, "probabilities": {}}),
    ]
    model = {"name": "multi-task", "version": 2, "precision": "fp32"}
    with database.begin() as connection:
        scored = [(row["posting_id"], row) for row in rows]
        results.save(connection, "job-1", "score", scored, fencing_token=1, model=model)
        copy = [("d", {"posting_id": "d", "duplicate_of": "a", "custom": {}})]
        results.save(connection, "job-2", "score", copy, fencing_token=1)
        results.save(connection, "job-3", "other", [("e", {"x": 1})], fencing_token=1)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((), ["a", "b", "c", "d", "e"]),
        (("--task", "score"), ["a", "b", "c", "d"]),
        (("--scam", "yes"), ["b"]),
        (("--scam", "no"), ["a", "c"]),
        (("--category", "legal"), ["c"]),
        (("--min-match", "0.5"), ["a", "c"]),
        (("--model", "multi-task", "--scam", "no", "--category", "healthcare"), ["a"]),
        (("--after", "2020-01-01"), ["a", "b", "c", "d", "e"]),
        (("--before", "2020-01-01"), []),
    ],
)
def test_conditions_say_what_is_exported(
    run: Run, options: tuple[str, ...], wanted: list[str]
) -> None:
    result = run("results", "export", *options)

    assert result.exit_code == 0
    assert [json.loads(line)["item_id"] for line in result.stdout.splitlines()] == wanted


@pytest.mark.usefixtures("stored")
def test_tables_hold_a_column_for_each_prediction_and_the_same_rows(
    run: Run, tmp_path: Path
) -> None:
    # When scores are exported to both kinds of table
    for name in ("out.csv", "out.parquet"):
        assert run("results", "export", "--output", tmp_path / name).exit_code == 0

    # Then both hold the four scores, with their types in Parquet
    with (tmp_path / "out.csv").open(newline="") as stream:
        in_csv = list(csv.DictReader(stream))
    in_parquet = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["posting_id"] for row in in_csv] == ["a", "b", "c", "d"]
    assert [row["posting_id"] for row in in_parquet] == ["a", "b", "c", "d"]
    assert in_csv[0]["salary_year_usd"] == "81000.0"
    assert in_parquet[1]["is_scam"] is True
    assert in_parquet[0]["model_version"] == 2
    assert (in_parquet[3]["duplicate_of"], in_parquet[3]["category"]) == ("a", None)
    assert {*tmp_path.glob("*.part")} == set()


@pytest.mark.usefixtures("stored")
def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    result = run("results", "export", "--output", tmp_path / "none" / "out.csv")

    assert result.exit_code == 2
    assert "out.csv.part: No such file or directory" in result.stderr
