"""The demo's data keeps its promises: counts, coverage, bounds, and nobody's real address."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from jobsentinel.contract import limits
from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.text import normalise

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
RESUMES = ("backend_engineer", "registered_nurse", "warehouse_supervisor")
REMOTE_POLICIES = {"on_site", "hybrid", "remote"}
ROW_FILES = (
    "postings.jsonl",
    "truth.jsonl",
    "relevance.jsonl",
    "labels_remote_policy.jsonl",
    "labels_remote_policy_test.jsonl",
)

EMAIL_HOST = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
URL_HOST = re.compile(r"https?://([^\s/\"'<>]+)", re.IGNORECASE)
BARE_HOST = re.compile(
    r"\b((?:[\w-]+\.)+(?:com|org|net|io|co|info|biz|gov|edu|me|example|uk|de|fr|es|nl|eu|us|ca))\b"
)


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a demo file."""
    lines = (DEMO / name).read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


@pytest.fixture(scope="module")
def postings() -> list[dict[str, Any]]:
    return rows("postings.jsonl")


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    return rows("truth.jsonl")


@pytest.mark.parametrize("name", ROW_FILES)
def test_every_line_is_one_object_of_readable_text(name: str) -> None:
    # Given a file as it lies on disk
    text = (DEMO / name).read_text("utf-8")

    # When it is read in the two ways that people read lines
    lines = text.splitlines()

    # Then both agree, each line is an object, and letters are letters rather than escapes
    assert text.endswith("\n")
    assert lines == text.split("\n")[:-1]
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert all(line == json.dumps(json.loads(line), ensure_ascii=False) for line in lines)


def test_postings_pass_the_contract_under_ids_of_their_own(
    postings: list[dict[str, Any]],
) -> None:
    parsed = [Posting.parse(row) for row in postings]

    assert len(parsed) >= 220
    assert len({posting.id for posting in parsed}) == len(parsed)
    assert all((posting.posted_at or "").startswith("2026-") for posting in parsed)


def test_postings_stay_far_inside_the_limits(postings: list[dict[str, Any]]) -> None:
    short = ("title", "company", "location", "employment_type", "experience_level", "salary")

    assert all(len(row["id"]) <= limits.MAX_ID_CHARS for row in postings)
    assert all(len(row["description"]) <= limits.MAX_TEXT_CHARS for row in postings)
    assert all(len(row.get("url", "")) <= limits.MAX_URL_CHARS for row in postings)
    assert all(
        len(row.get(name, "")) <= limits.MAX_SHORT_TEXT_CHARS for row in postings for name in short
    )


def test_postings_vary_in_length_and_in_what_they_leave_out(
    postings: list[dict[str, Any]],
) -> None:
    words = [len(row["description"].split()) for row in postings]

    assert 90 <= median(words) <= 150
    assert max(words) >= 300
    assert sum("salary" not in row for row in postings) >= 40
    assert sum("company" not in row for row in postings) >= 12


def test_postings_come_in_many_scripts_and_shapes(postings: list[dict[str, Any]]) -> None:
    # Given all texts, joined
    text = "\n".join(row["description"] for row in postings)

    # Then what scrapers bring is among them: entities, tags, wrong decodings, emoji, hard spaces
    assert all(
        mark in text for mark in ("&lt;", "&amp;", "&nbsp;", "<br", "â€™", "Â", "✨", "\xa0")
    )
    assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text)
    assert re.search(r"[\u0600-\u06ff]", text)
    assert sum(normalise(row["description"]) != row["description"] for row in postings) >= 8


def test_truth_answers_for_every_posting_once(
    postings: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    assert [row["id"] for row in truth] == [row["id"] for row in postings]
    assert all(set(row) == {"id", "category", "scam", "salary_year_usd"} for row in truth)
    assert all(type(row["scam"]) is bool for row in truth)


def test_truth_covers_all_categories_and_enough_scams(truth: list[dict[str, Any]]) -> None:
    genuine = Counter(row["category"] for row in truth if not row["scam"])

    assert set(genuine) == set(JOB_CATEGORIES)
    assert min(genuine.values()) >= 9
    assert sum(row["scam"] for row in truth) >= 14
    assert {row["category"] for row in truth} <= set(JOB_CATEGORIES)


def test_true_salaries_are_plausible_and_belong_to_a_stated_one(
    postings: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    known = [
        (posting, row["salary_year_usd"])
        for posting, row in zip(postings, truth, strict=True)
        if row["salary_year_usd"] is not None
    ]

    assert len(known) >= 150
    assert all(math.isfinite(value) and 3_000 <= value <= 300_000 for _, value in known)
    for posting, _ in known:
        stated = posting.get("salary", "") + posting["description"]
        assert re.search(r"\d", stated), posting["id"]


def test_three_reposts_share_nearly_all_of_their_words(postings: list[dict[str, Any]]) -> None:
    # Given the words of each longer posting
    bags = {
        row["id"]: set(re.findall(r"\w+", row["description"].lower()))
        for row in postings
        if len(row["description"].split()) >= 60
    }

    # When all pairs are compared
    alike = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(bags.items(), 2)
        if len(a & b) / min(len(a), len(b)) > 0.75
    ]

    # Then only the reposts are near-duplicates
    assert len(alike) == 3


@pytest.mark.parametrize("resume", RESUMES)
def test_every_resume_has_judged_postings_of_each_grade(
    resume: str, postings: list[dict[str, Any]], truth: list[dict[str, Any]]
) -> None:
    judged = [row for row in rows("relevance.jsonl") if row["resume"] == resume]
    scams = {row["id"] for row in truth if row["scam"]}

    assert len(judged) >= 25
    assert len({row["id"] for row in judged}) == len(judged)
    assert {row["id"] for row in judged} <= {row["id"] for row in postings}
    assert {row["relevance"] for row in judged} == {0, 1, 2, 3}
    assert all(row["relevance"] == 0 for row in judged if row["id"] in scams)


def test_resumes_are_three_short_pages() -> None:
    texts = {path.stem: path.read_text("utf-8") for path in (DEMO / "resumes").glob("*.txt")}

    assert set(texts) == set(RESUMES)
    assert {row["resume"] for row in rows("relevance.jsonl")} == set(RESUMES)
    assert all(150 <= len(text.split()) <= 300 for text in texts.values())


@pytest.mark.parametrize(
    ("name", "at_least"),
    [("labels_remote_policy.jsonl", 160), ("labels_remote_policy_test.jsonl", 45)],
)
def test_labelled_rows_are_balanced_snippets(name: str, at_least: int) -> None:
    labelled = rows(name)
    counts = Counter(row["label"] for row in labelled)

    assert len(labelled) >= at_least
    assert set(counts) == REMOTE_POLICIES
    assert max(counts.values()) - min(counts.values()) <= 2
    assert all(set(row) == {"text", "label"} for row in labelled)
    assert all(15 <= len(row["text"].split()) <= 60 for row in labelled)


def test_no_labelled_text_is_in_both_halves_or_twice() -> None:
    train = [normalise(row["text"]).lower() for row in rows("labels_remote_policy.jsonl")]
    held_out = [normalise(row["text"]).lower() for row in rows("labels_remote_policy_test.jsonl")]

    assert len(set(train)) == len(train)
    assert len(set(held_out)) == len(held_out)
    assert not set(train) & set(held_out)


def test_most_labels_cannot_be_read_off_one_word() -> None:
    # Given the rows that say the name of a policy outright
    labelled = rows("labels_remote_policy.jsonl")
    outright = [
        row for row in labelled if re.search(r"remote|hybrid|on[- ]site", row["text"], re.I)
    ]

    # Then they are few
    assert len(outright) < len(labelled) / 4


def _is_reserved(host: str) -> bool:
    host = host.lower().rstrip(".,;)")
    return host.endswith(".example") or host == "example.com" or host.endswith(".example.com")


@pytest.mark.parametrize("path", sorted(DEMO.rglob("*.jsonl")) + sorted(DEMO.rglob("*.txt")))
def test_addresses_lead_to_reserved_domains_only(path: Path) -> None:
    text = path.read_text("utf-8")

    hosts = [
        host for pattern in (EMAIL_HOST, URL_HOST, BARE_HOST) for host in pattern.findall(text)
    ]

    assert [host for host in hosts if not _is_reserved(host)] == []
