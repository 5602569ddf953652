"""Postings out of files, saved pages and frames."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobsentinel import InvalidInput, Posting, read_postings

ROWS: list[dict[str, Any]] = [
    {"id": 1, "title": "Nurse", "is_remote": True, "company": None, "rating": 4.5},
    {"id": 2, "title": "Cook", "is_remote": None, "company": "Inn", "rating": None},
]
EXPECTED = [
    Posting(id="1", title="Nurse", remote=True),
    Posting(id="2", title="Cook", company="Inn"),
]
JOB = {
    "@context": "https://schema.org/",
    "@type": "JobPosting",
    "title": "Nurse",
    "description": "<p>Ward &amp; clinic</p><ul><li>Nights</ul>",
    "identifier": {"@type": "PropertyValue", "name": "Ward", "value": "n-1"},
    "datePosted": "2026-11-02",
    "employmentType": ["FULL_TIME", "TEMPORARY"],
    "hiringOrganization": {"@type": "Organization", "name": "Ward"},
    "jobLocation": {
        "@type": "Place",
        "address": {"addressLocality": "Köln", "addressCountry": {"name": "DE"}},
    },
    "jobLocationType": "TELECOMMUTE",
    "baseSalary": {
        "@type": "MonetaryAmount",
        "currency": "EUR",
        "value": {"minValue": 30000, "maxValue": 36000, "unitText": "YEAR"},
    },
}


def saved(value: object, *, before: str = "", encoding: str = "utf-8") -> bytes:
    """Return a page that holds a value as JSON-LD."""
    text = json.dumps(value, ensure_ascii=False)
    page = f"<html><head>{before}<script type='application/ld+json'>{text}</script></head></html>"
    return page.encode(encoding)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(ROWS),
        pd.DataFrame(ROWS).convert_dtypes(),
        pl.DataFrame(ROWS),
        pa.table(pl.DataFrame(ROWS).to_dict(as_series=False)),
    ],
    ids=["pandas", "pandas nullable", "polars", "arrow"],
)
def test_frames_are_read_and_what_is_absent_stays_absent(frame: Any) -> None:
    assert list(read_postings(frame)) == EXPECTED


def test_files_of_each_kind_give_the_same_postings(tmp_path: Path) -> None:
    # Given the rows in JSON Lines, CSV (packed too, and with tabs) and Parquet
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "a.jsonl").write_text(lines)
    frame = pd.DataFrame(ROWS)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "a.parquet")

    # Then each gives the same
    for name in ("a.jsonl", "a.csv", "a.tsv", "b.csv.gz", "a.parquet"):
        assert list(read_postings(tmp_path / name)) == EXPECTED, name


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"id;title\n1;Nurse\n", "has ';' between its columns, not ','; say so (--separator ';')"),
        (b"id,titel\n1,Nurse\n", "a.csv: title: is missing among the columns 'id', 'titel'"),
        (b"id,title\n1,Nurse,x\n", "a.csv:2: line: has 3 cells, and the header 2"),
        (b'id,title\n1,"Nurse\n', "is not CSV (unexpected end of data)"),
        (b"id,title,title\n", "a.csv: title: is the name of two columns"),
        (b"", "a.csv: is empty"),
        (b"id,title\n1,N\xe9e\n", "a.csv:2: line: is not UTF-8 (byte 4)"),
        (b"PAR1 nonsense", "a.csv: id: is missing among the columns 'PAR1 nonsense'"),
    ],
)
def test_a_csv_file_that_cannot_be_read_says_where_and_why(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)

    with pytest.raises(InvalidInput) as fault:
        list(read_postings(path))

    assert told in str(fault.value)


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"id,title\n")

    with pytest.raises(InvalidInput, match=r"a\.parquet: cannot be read as Parquet"):
        list(read_postings(tmp_path / "a.parquet"))


def test_bad_rows_may_be_told_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,title,remote\n1,Nurse,yes\n2,Cook,perhaps\n3,Clerk,\n")
    told: list[str] = []

    read = list(
        read_postings(tmp_path / "a.csv", on_invalid=lambda _, error: told.append(str(error)))
    )

    assert [posting.id for posting in read] == ["1", "3"]
    assert told == ["a.csv:3: remote: must be true or false, not 'perhaps'"]


def test_a_saved_page_gives_its_job_posting(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(saved(JOB))

    (posting,) = read_postings(tmp_path / "a.html")

    assert posting == Posting(
        id="n-1",
        title="Nurse",
        description="Ward & clinic\nNights",
        company="Ward",
        location="Köln, DE",
        employment_type="FULL_TIME, TEMPORARY",
        remote=True,
        salary="EUR 30000 - 36000 per year",
        posted_at="2026-11-02",
    )


@pytest.mark.parametrize(
    "content",
    [
        saved({"@graph": [{"@type": "WebSite"}, JOB]}),
        saved([[JOB]]),
        saved({**JOB, "@type": ["JobPosting", "Thing"]}),
        b"<p><div>" + saved(JOB)[:-14],
        saved(JOB, before="<meta charset=windows-1252>", encoding="windows-1252"),
        saved(JOB, encoding="utf-16"),
        saved(JOB, encoding="latin-1"),
        b"<script type='application/ld+json'>{broken</script>" + saved(JOB),
    ],
    ids=["graph", "list", "kinds", "broken", "declared", "marked", "undeclared", "one broken"],
)
def test_pages_are_read_however_they_are_nested_broken_or_encoded(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.html").write_bytes(content)

    (posting,) = read_postings(tmp_path / "a.html")

    assert (posting.id, posting.location) == ("n-1", "Köln, DE")


def test_a_folder_of_pages_is_read_and_a_page_without_a_posting_is_told(tmp_path: Path) -> None:
    # Given a folder with two pages of jobs, one without, and other files
    for name in ("a", "c"):
        (tmp_path / f"{name}.html").write_bytes(saved({**JOB, "identifier": name}))
    (tmp_path / "b.htm").write_bytes(b"<p>We are not hiring")
    (tmp_path / "a_files").mkdir()
    (tmp_path / "a_files" / "style.css").write_text("p{}")
    told: list[str] = []

    # When it is read
    read = read_postings(tmp_path, on_invalid=lambda _, error: told.append(str(error)))

    # Then both jobs are there, and the third page is named
    assert [posting.id for posting in read] == ["a", "c"]
    assert told == ["b.htm: page: holds no JobPosting in JSON-LD"]


def test_a_page_is_known_by_its_address_where_it_gives_no_id(tmp_path: Path) -> None:
    link = "<link rel=canonical href='https://example.org/1'>"
    page = saved({"@type": "JobPosting", "title": "Nurse"}, before=link)
    (tmp_path / "a.html").write_bytes(page)

    (posting,) = read_postings(tmp_path / "a.html")

    assert posting.id == posting.url == "https://example.org/1"
