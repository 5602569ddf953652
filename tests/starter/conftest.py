"""A folder of small files of the same form as the open data."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.starter.open_tables import CODES, write_table


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
