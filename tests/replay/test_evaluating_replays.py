"""The replay of the open data, over a few rows of the same form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.replay.synthetic import words
from tests.starter.open_tables import write_table

from jobsentinel_workers.replay.evaluate import main
from jobsentinel_workers.replay.open_labels import category_rows, google_rows, scam_rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with tables of postings in classes, each of them with words of its own."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    write_table(
        folder / "category_google.csv.gz",
        [
            {"title": words(rng), "category": name, "location": "Oslo", "description": words(rng)}
            for _ in range(45)
            for name in ("Sales", "Legal")
        ],
    )
    return folder


def test_tables_and_reports_come_for_each_set(
    data: Path, tiny_encoder_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    options = ["--encoder", str(tiny_encoder_path), "--cache", str(cache), "--seeds", "2"]
    chosen = ["--only", "category-google", "--strategies", "margin"]

    code = main(["--data", str(data), "--out", str(out), *options, *chosen])

    assert code == 0
    said = capsys.readouterr()
    assert "90 labelled texts in 2 classes" in said.out
    assert "category-google: seed 1, margin: accuracy" in said.err
    found = json.loads((out / "category-google" / "replay.json").read_text("utf-8"))
    assert found["label_counts"][:3] == [20, 40, 60]
    assert (out / "category-google" / "report.html").is_file()


def test_rows_of_the_open_data_have_a_text_and_a_class(tmp_path: Path) -> None:
    posting: dict[str, object] = {
        "title": "Nurse",
        "location": "Oslo",
        "experience_level": "",
        "work_type": "",
    }
    known = {**posting, "remote": "", "job_functions": "Health Care Provider"}
    unknown = {**known, "title": "Somebody", "job_functions": "Other"}
    salary = {"salary_year_usd_min": "", "salary_year_usd_max": ""}
    write_table(tmp_path / "linkedin_titles.csv.gz", [known | salary, unknown | salary])
    columns = ("description", "requirements", "benefits", "telecommuting", "required_experience")
    bare = dict.fromkeys((*columns, "employment_type", "function"), "")
    scam: dict[str, object] = {"title": "Earn at home", "location": "", **bare, "fraudulent": "1"}
    write_table(tmp_path / "scam_emscad.csv.gz", [scam])

    assert category_rows(tmp_path) == [("Nurse\nOslo", "healthcare")]
    assert scam_rows(tmp_path) == [("Earn at home", "yes")]


def test_a_careers_page_keeps_its_categories(data: Path) -> None:
    rows = google_rows(data)

    assert len(rows) == 90
    assert {label for _, label in rows} == {"Sales", "Legal"}
