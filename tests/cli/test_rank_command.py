"""`jobsentinel rank` over a real Redis, with answers that the test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from jobsentinel.contract import results

Run = Callable[..., Result]
Write = Callable[..., Path]

STAMP = results.ModelStamp(name="reranker", version=0, precision="fp32")
REASON = "#34 -> #1: the cross-encoder rates it far higher (#1) than its embedding did (#34)"


def place(rank: int, **changes: Any) -> results.RankedPosting:
    values: dict[str, Any] = {
        "id": f"job-{rank}",
        "rank": rank,
        "score": 0.9125 - rank / 10,
        "bi_encoder_score": 0.61,
        "bi_encoder_rank": 34,
        "cross_encoder_score": 2.5,
        "cross_encoder_rank": rank,
        "lexical_score": 23.41,
        "lexical_rank": 12,
        "title": "Night [bold]nurse[/] (ICU)",
        "company": "St Mary",
        "location": "Leeds, United Kingdom",
        "reason": REASON,
    }
    return results.RankedPosting(**values | changes)


def ranking(*ranked: results.RankedPosting, **changes: Any) -> Callable[[Any], Any]:
    values = {"candidates": 812, "timings_ms": {"fuse": 0.2, "total": 12.3}, "models": (STAMP,)}
    return lambda request: results.RerankResult(**{"ranked": ranked, **values, **changes})


@pytest.fixture
def resume(tmp_path: Path) -> Path:
    """A résumé."""
    file = tmp_path / "resume.txt"
    file.write_text("Registered nurse, ten years", "utf-8")
    return file


def test_a_ranking_reads_well_in_a_hundred_columns(run: Run, worker: Any, resume: Path) -> None:
    # Given a worker's ranking of two postings, one with copies and without a word of the query
    second = place(2, lexical_score=None, lexical_rank=None, duplicates=("a", "b"))
    worker.answer(rerank=ranking(place(1), second, duplicates=2))

    # When it is shown
    arguments = ("--query-file", resume, "--top", 20, "--where", "remote = true")
    result = run("rank", *arguments, COLUMNS="100")

    # Then title, place, id, each stage's score and rank, and the whole reason are there
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["#", "posting", "score", "embed.", "words", "cross", "why"]
    assert "Night [bold]nurse[/] (ICU)" in lines[2]
    assert "0.812    0.61   23.4   2.50" in lines[2]
    assert "St Mary · Leeds, United Kingdom" in lines[3]
    assert "#34    #12     #1" in lines[3]
    assert "job-1" in lines[4]
    why = lines[0].index("why")
    assert " ".join(line[why:].strip() for line in lines[2:5]) == REASON
    assert "+ 2 copies" in result.stdout
    assert max(map(len, lines)) <= 100
    assert "2 postings ranked out of 812, 2 copies left out (total 12 ms)" in result.stderr


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_no_figure_is_cut_at_any_width(run: Run, worker: Any, resume: Path, columns: int) -> None:
    worker.answer(rerank=ranking(place(1)))

    result = run("rank", resume, COLUMNS=str(columns))

    assert "0.812    0.61   23.4   2.50" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= columns


def test_every_option_reaches_the_fleet(run: Run, worker: Any, resume: Path) -> None:
    worker.answer(rerank=ranking(place(1)))

    result = run(
        *("rank", resume, "--where", "remote = true", "--first-stage", "lexical"),
        *("--diversity", 0.3, "--keep-duplicates", "--top", 5, "--initial", 50),
    )

    assert result.exit_code == 0
    (request,) = worker.requests
    assert request.query == "Registered nurse, ten years"
    assert (request.where, request.first_stage) == ("remote = true", "lexical")
    assert (request.diversity, request.collapse_duplicates) == (0.3, False)
    assert (request.initial_top_k, request.final_top_k) == (50, 5)


def test_json_holds_everything_the_worker_said(run: Run, worker: Any, resume: Path) -> None:
    worker.answer(rerank=ranking(place(1)))

    result = run("rank", resume, "--json")

    (row,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert row["ranked"][0]["reason"] == REASON
    assert row["ranked"][0]["lexical_rank"] == 12


def test_a_note_about_the_index_is_told(run: Run, worker: Any, resume: Path) -> None:
    worker.answer(rerank=ranking(place(1), note="a new index is being made"))

    assert "(total 12 ms); a new index is being made" in run("rank", resume).stderr


def test_a_filter_that_lets_nothing_by_is_told(run: Run, worker: Any, resume: Path) -> None:
    worker.answer(rerank=ranking(candidates=0))

    result = run("rank", resume, "--where", 'location = "Atlantis"')

    assert result.exit_code == 0
    assert "no indexed posting matches the filter" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--where", "remote >>> true"], "where: "),
        (["--where", "remote = true", "--candidates", "FILE"], "where: chooses among indexed"),
        (["--first-stage", "bm25"], "is not one of 'hybrid', 'dense', 'lexical'"),
        (["--diversity", "1.5"], "--diversity"),
        (["--top", "0"], "--top"),
        (["--text", "nurse"], "give either QUERY_FILE or --text"),
        (["--query-file", "FILE"], "give either QUERY_FILE or --text"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    run: Run, resume: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "file.jsonl").write_text('{"id": "a", "text": "Nurse"}\n')
    given = [str(tmp_path / "file.jsonl") if a == "FILE" else a for a in arguments]

    result = run("rank", resume, *given)

    assert result.exit_code == 2
    assert says in result.stderr


def test_more_candidates_than_a_request_holds_are_to_be_indexed(
    run: Run, resume: Path, write_lines: Write
) -> None:
    file = write_lines(*({"id": f"c{n}", "text": "Nurse"} for n in range(1_001)))

    result = run("rank", resume, "--candidates", file)

    assert result.exit_code == 2
    assert "candidates: are more than the 1,000" in result.stderr
    assert "index them with `jobsentinel index`" in result.stderr
