"""Readers of the open data, on small files of the same form."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from jobsentinel_workers.encoders import TextEncoder, load_backbone, run_directly
from jobsentinel_workers.starter import function_data, open_data, salary_data, scam_data
from jobsentinel_workers.starter.build_reranker import read_ranking_data
from jobsentinel_workers.starter.category_data import (
    CATEGORIES,
    clear_postings,
    labelled_occupations,
    occupation_rows,
    posting_rows,
)
from jobsentinel_workers.starter.ranking_data import (
    GROUP_SIZE,
    OccupationGroups,
    OccupationPool,
    PostingGroups,
)
from jobsentinel_workers.starter.reranker_training import RerankerSettings, train_adapter

CODES = [f"{major}-{minor}011.00" for major in range(11, 53, 2) for minor in (1, 2, 3)]


def write_table(path: Path, rows: list[dict[str, object]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file,
            list(rows[0]),
            delimiter=delimiter,
            quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
            quotechar=None if delimiter == "\t" else '"',
        )
        writer.writeheader()
        writer.writerows(rows)


def write_onet(folder: Path) -> None:
    def table(name: str, *columns: dict[str, object]) -> None:
        rows = [{"O*NET-SOC Code": code} | row for code in CODES for row in columns]
        for number, row in enumerate(rows):
            for key, value in row.items():
                if key != "O*NET-SOC Code":
                    row[key] = str(value).format(n=number, code=row["O*NET-SOC Code"])
        write_table(folder / "onet" / f"{name}.txt.gz", rows, "\t")

    table("Occupation_Data", {"Title": "Trade {n}", "Description": 'Does "work" {n}.'})
    table("Alternate_Titles", {"Alternate Title": "Handler {n}"}, {"Alternate Title": "Maker {n}"})
    table("Sample_of_Reported_Titles", {"Reported Job Title": "Chief {n}"})
    table("Task_Statements", {"Task": "Carry load {n}."}, {"Task": "Clean tool {n}."})
    table("Technology_Skills", {"Example": "Program {n}"})
    table(
        "Related_Occupations",
        {"Related O*NET-SOC Code": "11-1011.00", "Relatedness Tier": "Primary-Long"},
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("open-data")
    write_onet(folder)
    write_table(
        folder / "esco_occupations.csv.gz",
        [
            {
                "uri": f"uri/{group}",
                "title": f"craft {group}",
                "alternative_titles": f"crafter {group}|smith {group}",
                "isco_group": group,
                "description": f"They craft {group}.",
            }
            for group in ("2211", "3423", "0110")
        ],
    )
    described = [
        {
            "title": f"Job {n}",
            "company": "",
            "location": "Berlin",
            "description": f"Work of kind {n}, " * 20,
            "experience_level": "",
            "work_type": "FULL_TIME",
            "salary_year_usd_min": 50_000 + n if n % 2 else "",
            "salary_year_usd_max": 70_000 + n if n % 2 else "",
        }
        for n in range(60)
    ]
    write_table(folder / "linkedin_postings.csv.gz", described)
    titles = {"remote": "1", "job_functions": "Engineering|Information Technology"}
    write_table(
        folder / "linkedin_titles.csv.gz",
        [{k: v for k, v in row.items() if k != "description"} | titles for row in described],
    )
    write_table(
        folder / "salary_nyc.csv.gz",
        [
            {
                "title": "Inspector",
                "category": "Health",
                "agency": "PARKS",
                "level": "1",
                "salary_year_usd_min": low,
                "salary_year_usd_max": "",
            }
            for low in (40_000, 40_000, 12)
        ],
    )
    emscad = {"department": "", "company_profile": "PROFILE", "telecommuting": "0", "benefits": ""}
    write_table(
        folder / "scam_emscad.csv.gz",
        [
            emscad
            | {
                "title": title,
                "location": "US",
                "required_experience": "",
                "employment_type": "",
                "description": "Earn money &amp; more",
                "requirements": "None",
                "function": "Legal",
                "fraudulent": fraud,
            }
            for title, fraud in (("Quick cash", 1), ("Quick  cash", 1), ("Clerk", 0))
        ],
    )
    return folder


def test_occupations_are_joined_from_their_tables(data: Path) -> None:
    occupations = open_data.read_onet(data)

    assert len(occupations) == len(CODES)
    assert occupations[0].description == 'Does "work" 0.'
    assert occupations[0].alternate_titles == ("Handler 0", "Maker 1", "Chief 0")
    assert len(occupations[0].tasks) == 2
    assert occupations[0].related == {"11-1011.00": 0.35}


def test_postings_are_composed_as_they_are_served(data: Path) -> None:
    row = open_data.read_linkedin_titles(data)[1]

    assert row.text == "Job 1\nBerlin · FULL_TIME · Remote"
    assert row.salary_year_usd == 60_001
    assert row.functions == ("Engineering", "Information Technology")


def test_scams_lose_their_profile_their_copies_and_their_entities(
    data: Path, tiny_encoder: TextEncoder
) -> None:
    scams = scam_data.read_scam_data(data, tiny_encoder, run_directly)

    assert [row.title for row in scams.rows] == ["Quick cash", "Clerk"]
    assert all("PROFILE" not in row.text and "money & more" in row.text for row in scams.rows)


def test_a_posting_in_full_has_its_profile_and_keeps_its_description(data: Path) -> None:
    scams = scam_data.ScamData(open_data.read_emscad(data), [0, 0, 1])

    rows = scams.in_full().rows

    assert all("PROFILE" in row.text and row.text.endswith(row.description) for row in rows)
    assert all(row.text.startswith(row.title) for row in rows)


def test_facts_on_one_line_are_those_of_the_posting() -> None:
    rows = [open_data.PostingRow(f"Nurse {n}", f"Nurse {n}\nBoston · Full-time") for n in range(40)]

    lines = salary_data.on_one_line(rows, 0.5, seed=1)

    assert 5 < len(lines) < 35
    assert all("\n" not in row.text and "Boston Full-time" in row.text for row in lines)
    assert lines == salary_data.on_one_line(rows, 0.5, seed=1)


def test_functions_are_learnt_from_titles_and_from_what_stands_below_them() -> None:
    known = open_data.PostingRow("Nurse", "Nurse\nBoston", functions=("Health Care Provider",))
    bare = open_data.PostingRow("Clerk", "Clerk", functions=("Administrative", "Other"))
    unknown = open_data.PostingRow("Pilot", "Pilot\nReno")

    titles = function_data.title_rows([known, bare, unknown])
    texts = function_data.text_rows([known, bare, unknown])

    assert [row.text for row in titles] == ["Nurse", "Clerk"]
    assert [row.text for row in texts] == ["Nurse\nBoston"]
    task = function_data.functions_task()
    assert len(task.classes) == 35
    assert np.asarray(task.to_target(titles[1].labels[function_data.TASK])).sum() == 2


def test_folds_keep_copies_together() -> None:
    rows = [open_data.PostingRow(str(n), str(n)) for n in range(20)]
    data = scam_data.ScamData(rows, [n // 4 for n in range(20)])

    folds = data.folds(3, seed=1)

    assert sorted(n for fold in folds for n in fold) == list(range(20))
    for fold in folds:
        groups = {n // 4 for n in fold}
        assert len(fold) == 4 * len(groups)


def test_implausible_and_repeated_salaries_are_left_out(data: Path) -> None:
    rows = salary_data.salary_postings(data)

    assert sum(row.title == "Inspector" for row in rows) == 1
    assert all(15_000 <= (row.salary_year_usd or 0) <= 800_000 for row in rows)


def test_bare_titles_are_lent_descriptions(data: Path, tiny_encoder: TextEncoder) -> None:
    postings = open_data.read_linkedin_postings(data)
    bare = [row for row in salary_data.salary_postings(data) if not row.description][:10]
    descriptions = salary_data.Descriptions(postings, [], tiny_encoder, run_directly)

    lent = descriptions.lend(bare, 1.0, seed=0)

    assert lent
    assert all(row.text.startswith(row.title) and row.description for row in lent)


def test_occupations_become_labelled_texts(data: Path) -> None:
    occupations = labelled_occupations(data)

    rows = occupation_rows(occupations, ["Berlin"], seed=1)

    assert len([o for o, _ in occupations if o.code.startswith("uri/")]) == 2  # 3423 has none
    assert all(row.labels["job_category"] for row in rows)
    assert any(row.text.endswith("\nBerlin") for row in rows)


def test_ranking_groups_hold_one_right_answer_and_no_relative_as_wrong_one(
    data: Path, tiny_encoder: TextEncoder
) -> None:
    occupations = read_ranking_data(data, seed=1).occupations
    pool = OccupationPool.embed(occupations, tiny_encoder)
    postings = PostingGroups(open_data.read_linkedin_postings(data), tiny_encoder)
    postings.title_similarity = np.eye(60)  # the tiny encoder finds all titles alike

    groups = OccupationGroups(pool, tiny_encoder).draw(20, np.random.default_rng(0))
    groups += postings.draw(5, np.random.default_rng(0))

    for group in groups:
        assert len(group.documents) == len(group.grades) == GROUP_SIZE
        assert group.grades.count(1.0) == 1


def test_training_an_adapter_lowers_its_loss(data: Path, tiny_encoder_path: Path) -> None:
    encoder = TextEncoder.load(tiny_encoder_path, precision="fp32", max_tokens=64)
    pool = OccupationPool.embed(open_data.read_onet(data)[:30], encoder)
    groups = OccupationGroups(pool, encoder).draw(4, np.random.default_rng(0))
    lines: list[str] = []

    torch.manual_seed(0)
    settings = RerankerSettings(steps=50, rank=4, learning_rate=1e-2, first_layer=0)
    train_adapter(load_backbone(tiny_encoder_path), lambda *_: groups, settings, lines.append)

    first, last = (float(line.split()[3]) for line in lines)
    assert last < first


def test_an_excerpt_keeps_the_head_and_is_fixed_by_its_text() -> None:
    row = open_data.PostingRow("Clerk", "Clerk\nBerlin\n" + "word " * 300, "word " * 300)
    row = open_data.PostingRow("Clerk", row.text.strip(), row.description.strip())

    excerpt = scam_data.excerpt(row, seed=1)

    assert excerpt.text.startswith("Clerk\nBerlin\nword")
    assert 15 <= excerpt.text.count("word") < 120
    assert excerpt == scam_data.excerpt(row, seed=1)


def test_ordinary_postings_join_the_scam_data_as_groups_of_their_own(data: Path) -> None:
    postings = open_data.read_linkedin_postings(data)[:4]
    scams = scam_data.ScamData(open_data.read_emscad(data), [0, 0, 1])

    ordinary = scam_data.presumably_legitimate(postings, open_data.read_onet(data)[:2], seed=1)
    joined = scams.with_variants(1).plus(ordinary)

    assert len(ordinary) == 4 + 4 + 2
    assert not any(row.fraudulent for row in ordinary)
    assert joined.groups[:9] == [0, 0, 1] * 3
    assert len(set(joined.groups)) == 2 + len(ordinary)


def test_a_function_counts_where_the_first_model_agrees() -> None:
    def classify(texts: Sequence[str]) -> np.ndarray:
        sure = {"Nurse": "healthcare", "Lawyer": "legal"}
        rows = np.full((len(texts), len(CATEGORIES)), 0.01)
        for row, text in zip(rows, texts, strict=True):
            if text in sure:
                row[CATEGORIES.index(sure[text])] = 0.9
        return rows

    postings = [
        open_data.PostingRow("Nurse", "Nurse", functions=("Sales",)),
        open_data.PostingRow("Lawyer", "Lawyer", functions=("Legal",)),
        open_data.PostingRow("Cashier", "Cashier", functions=("Sales",)),
        open_data.PostingRow("Puzzler", "Puzzler"),
    ]

    clear = clear_postings(postings, classify, seed=1)

    assert {posting.title: category for posting, category in clear} == {
        "Nurse": "healthcare",
        "Lawyer": "legal",
    }


def test_bare_titles_keep_their_category_under_a_lent_description() -> None:
    bare = (open_data.PostingRow("Nurse", "Nurse"), "healthcare")
    described = (open_data.PostingRow("Lawyer", "Lawyer\nSues.", "Sues."), "legal")

    rows = posting_rows([bare, described], seed=1)

    assert {(row.text, row.labels["job_category"]) for row in rows} == {
        ("Nurse", "healthcare"),
        ("Nurse\nSues.", "healthcare"),
        ("Lawyer\nSues.", "legal"),
    }
