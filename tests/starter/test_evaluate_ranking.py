"""The evaluation of rankings on open data, over a few rows of the same form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.encoder_folders import write_reranker
from tests.starter.open_tables import write_table

from jobsentinel_workers.starter.evaluate_ranking import EVALUATION_FILE, main
from jobsentinel_workers.starter.ranking_trials import vacancies

OCCUPATIONS = ["nurse", "truck driver", "baker", "welder", "pilot"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with tables of occupations and vacancy titles."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_table(
        folder / "esco_occupations.csv.gz",
        [
            {"uri": f"esco/{name}", "title": name, "description": f"Works as a {name}."}
            for name in OCCUPATIONS
        ],
    )
    titles = [{"vacancy_title": f"Senior {n}", "esco_uri": f"esco/{n}"} for n in OCCUPATIONS]
    gone = {"vacancy_title": "Lamplighter", "esco_uri": "esco/gone"}
    write_table(folder / "vacancy_titles_to_esco.csv.gz", [*titles, gone])
    return folder


@pytest.fixture
def reranker(tiny_encoder_path: Path, tmp_path: Path) -> Path:
    """A folder with a small random reranker."""
    return write_reranker(tmp_path / "reranker", tiny_encoder_path)


def test_vacancies_whose_occupation_is_unknown_are_not_asked(data: Path) -> None:
    trial = vacancies(data, count=100)

    assert sorted(trial.judgements.grades) == sorted(f"Senior {name}" for name in OCCUPATIONS)
    assert trial.judgements.grades["Senior baker"] == {"esco/baker": 1.0}
    assert trial.documents["esco/baker"] == "baker. Works as a baker."


def test_the_same_vacancies_are_drawn_each_time(data: Path) -> None:
    assert list(vacancies(data, 3).judgements.grades) == list(vacancies(data, 3).judgements.grades)


def test_the_tables_are_printed_and_the_figures_written(
    data: Path, tiny_encoder_path: Path, reranker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = data / "out"

    options = ["--only", "vacancies", "--read", "3", "--bi-encoder", str(tiny_encoder_path)]
    code = main(["--data", str(data), "--out", str(out), "--reranker", str(reranker), *options])

    assert code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("vacancies: 5 documents, of which the cross-encoder reads 3 a query")
    report = json.loads((out / EVALUATION_FILE).read_text("utf-8"))
    found = report["trials"]["vacancies"]
    assert found["overall"]["queries"] == 5
    # Each title holds the name of its occupation, and of no other.
    assert found["overall"]["measures"]["lexical"]["MRR@10"]["value"] == 1.0
