"""Readers of the open data sets that the starter weights are trained on.

Each takes the data folder and returns plain records, normalised as postings are when served. No
row of these sets is part of this distribution; the sources are named in the model cards.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from jobsentinel.contract.text import compose_posting_text, normalise

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Occupation:
    """One occupation: its names, what its people do, and its relatives by closeness (0 to 1).

    ``family`` is what variants of one occupation share; by default each has its own.
    """

    code: str
    title: str
    description: str
    alternate_titles: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    related: dict[str, float] = field(default_factory=dict)
    family: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.family or self.code)

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the official one first."""
        return (self.title, *self.alternate_titles)


class _TabTable(csv.excel_tab):
    quoting = csv.QUOTE_NONE


def read_csv(path: Path, delimiter: str = ",") -> list[Row]:
    """Return the rows of a gzip-compressed table with a header."""
    csv.field_size_limit(sys.maxsize)
    # O*NET's tables separate by tabs and quote nothing: a quotation mark there is just one.
    dialect = _TabTable if delimiter == "\t" else csv.excel
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, dialect=dialect)
        return [{key: value or "" for key, value in row.items() if key} for row in rows]


SOC_CHARS = 7
"""O*NET's codes that share so many characters are variants of one occupation of the SOC."""
RELATED_GRADES = {"Primary-Short": 0.5, "Primary-Long": 0.35, "Supplemental": 0.2}


def read_onet(data: Path) -> list[Occupation]:
    """Return the occupations of O*NET that have task statements or alternate titles."""
    titles = _group(data, "Alternate_Titles", "Alternate Title")
    for code, reported in _group(data, "Sample_of_Reported_Titles", "Reported Job Title").items():
        titles[code] += [title for title in reported if title not in titles[code]]
    tasks = _group(data, "Task_Statements", "Task")
    tools = _group(data, "Technology_Skills", "Example")
    related: dict[str, dict[str, float]] = defaultdict(dict)
    for row in _onet_table(data, "Related_Occupations"):
        grade = RELATED_GRADES[row["Relatedness Tier"]]
        related[row["O*NET-SOC Code"]][row["Related O*NET-SOC Code"]] = grade
    return [
        Occupation(
            code=row["O*NET-SOC Code"],
            title=normalise(row["Title"]),
            description=normalise(row["Description"]),
            alternate_titles=tuple(titles[row["O*NET-SOC Code"]]),
            tasks=tuple(tasks[row["O*NET-SOC Code"]]),
            tools=tuple(tools[row["O*NET-SOC Code"]]),
            related=related[row["O*NET-SOC Code"]],
            family=row["O*NET-SOC Code"][:SOC_CHARS],
        )
        for row in _onet_table(data, "Occupation_Data")
    ]


def _onet_table(data: Path, name: str) -> list[Row]:
    return read_csv(data / "onet" / f"{name}.txt.gz", delimiter="\t")


def _group(data: Path, table: str, column: str) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for row in _onet_table(data, table):
        grouped[row["O*NET-SOC Code"]].append(normalise(row[column]))
    return grouped


def read_esco(data: Path) -> list[tuple[Occupation, str]]:
    """Return the occupations of ESCO, each with its ISCO group of four digits."""
    return [
        (
            Occupation(
                code=row["uri"],
                title=normalise(row["title"]),
                description=normalise(row["description"]),
                alternate_titles=tuple(
                    normalise(title) for title in row["alternative_titles"].split("|") if title
                ),
            ),
            row["isco_group"].strip().lstrip("C").zfill(4),
        )
        for row in read_csv(data / "esco_occupations.csv.gz")
    ]


@dataclass(frozen=True, slots=True)
class PostingRow:
    """A real posting with what is known of it; texts are composed as they are when served.

    Attributes:
        category: job function names, or the category of its source.
        salary_year_usd: middle of its yearly range, None where unknown.
        fraudulent: None where unknown.
        about: all further text that the source has, such as the company's profile.
    """

    title: str
    text: str
    description: str = ""
    about: str = ""
    functions: tuple[str, ...] = ()
    salary_year_usd: float | None = None
    fraudulent: bool | None = None


def read_linkedin_titles(data: Path) -> list[PostingRow]:
    """Return LinkedIn postings without descriptions."""
    return [
        PostingRow(
            title=normalise(row["title"]),
            text=compose_posting_text(
                title=row["title"],
                location=row["location"],
                experience_level=row["experience_level"],
                employment_type=row["work_type"],
                remote=row["remote"] in {"1", "1.0", "True"},
            ),
            functions=tuple(filter(None, row["job_functions"].split("|"))),
            salary_year_usd=_middle(row),
        )
        for row in read_csv(data / "linkedin_titles.csv.gz")
        if row["title"].strip()
    ]


def read_linkedin_postings(data: Path) -> list[PostingRow]:
    """Return LinkedIn postings with their descriptions."""
    return [
        PostingRow(
            title=normalise(row["title"]),
            text=compose_posting_text(
                title=row["title"],
                description=row["description"],
                company=row["company"],
                location=row["location"],
                experience_level=row["experience_level"],
                employment_type=row["work_type"],
            ),
            description=normalise(row["description"]),
            salary_year_usd=_middle(row),
        )
        for row in read_csv(data / "linkedin_postings.csv.gz")
        if row["title"].strip()
    ]


def read_salary_nyc(data: Path) -> list[PostingRow]:
    """Return the job offers of New York City's administration."""
    return [
        PostingRow(
            title=normalise(row["title"]),
            text=compose_posting_text(
                title=row["title"], company=row["agency"], location="New York, NY"
            ),
            functions=(row["category"],) if row["category"] else (),
            salary_year_usd=_middle(row),
        )
        for row in read_csv(data / "salary_nyc.csv.gz")
        if row["title"].strip()
    ]


def read_emscad(data: Path) -> list[PostingRow]:
    """Return EMSCAD's postings, legitimate and fraudulent."""
    return [
        PostingRow(
            title=normalise(row["title"]),
            text=compose_posting_text(
                title=row["title"],
                location=row["location"],
                experience_level=row["required_experience"],
                employment_type=row["employment_type"],
                remote=row["telecommuting"] in {"1", "1.0"},
                description=_emscad_description(row),
            ),
            description=_emscad_description(row),
            about=normalise("\n".join(filter(None, (row.get(name) for name in _EMSCAD_ABOUT)))),
            functions=(row["function"],) if row["function"] else (),
            fraudulent=row["fraudulent"] in {"1", "1.0"},
        )
        for row in read_csv(data / "scam_emscad.csv.gz")
        if row["title"].strip()
    ]


_EMSCAD_ABOUT = ("department", "industry", "function", "required_education", "company_profile")


def _emscad_description(row: Row) -> str:
    # The company profile is left out: frauds of this sample have one less often than in life.
    parts = (row["description"], row["requirements"], row["benefits"])
    return normalise("\n".join(filter(None, parts)))


def _middle(row: Row) -> float | None:
    values = [float(row[f"salary_year_usd_{end}"] or 0) for end in ("min", "max")]
    known = [value for value in values if value > 0]
    return sum(known) / len(known) if known else None
