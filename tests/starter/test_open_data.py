"""Readers of the open data, on small files of the same form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tests.starter.open_tables import CODES

from jobsentinel_workers.encoders import TextEncoder, run_directly
from jobsentinel_workers.starter import function_data, open_data, salary_data, scam_data
from jobsentinel_workers.starter.category_data import (
    CATEGORIES,
    clear_postings,
    labelled_occupations,
    occupation_rows,
    posting_rows,
)


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
