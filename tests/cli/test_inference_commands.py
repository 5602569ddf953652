"""score, index, rank, select and label over a real Redis, with answers that the test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from jobsentinel.cli import waiting
from jobsentinel.contract import requests, results
from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import InvalidInput

Run = Callable[..., Result]
Write = Callable[..., Path]

STAMP = results.ModelStamp(name="multi-task", version=3, precision="fp32")


def posting(number: int, **changes: object) -> dict[str, object]:
    return {"id": f"job-{number}", "title": f"Nurse [bold]no {number}[/]", **changes}


def scores(request: Message) -> Message:
    assert isinstance(request, requests.ScoreRequest)
    return results.ScoreResult(scores=tuple(map(score, request.postings)))


def score(item: Any) -> results.PostingScore:
    return results.PostingScore(
        posting_id=item.id,
        category=results.CategoryPrediction(
            label="healthcare", probability=0.91, probabilities={"healthcare": 0.91}
        ),
        salary_year_usd=results.SalaryPrediction(value=81_000, low=60_000, high=99_400),
        scam=results.ScamPrediction(probability=0.87, is_scam=True, threshold=0.5),
        model=STAMP,
    )


def json_rows(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_score_prints_a_table_of_the_first_rows_and_a_summary(
    run: Run, worker: Any, write_lines: Write
) -> None:
    # Given a worker and five postings whose titles look like markup
    worker.answer(score=scores)
    file = write_lines(*map(posting, range(5)))

    # When they are scored with a table of two rows
    result = run("score", file, "--rows", 2)

    # Then the rows, the interval and the sums are shown, and no line is wider than the terminal
    assert result.exit_code == 0
    assert "job-1  Nurse [bold]no 1[/]" in result.stdout
    assert "job-2" not in result.stdout
    assert "Healthcare" in result.stdout
    assert "91%  $81k (60k–99k)  SCAM 87%      -" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.output
    assert "5 postings scored" in result.stderr
    assert "multi-task version 3 (fp32), 5 scams suspected" in result.stderr


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_score_shows_all_four_answers_and_cuts_none(
    run: Run, worker: Any, write_lines: Write, columns: int
) -> None:
    # Given a posting with a long id and title that states its pay, and a worker that answers all
    stated = results.StatedSalary(
        low=28.41, high=35.12, currency="CAD", period="hour", text="CA$28.41 - CA$35.12/hr"
    )
    more = {"stated_salary": stated, "match_quality": 1.0}
    worker.answer(
        score=lambda request: results.ScoreResult(
            scores=tuple(score(item).model_copy(update=more) for item in request.postings)
        )
    )
    identifier = "7f9c24e8-3b1d-4e5f-9a6b-0c1d2e3f4a5b"
    file = write_lines({"id": identifier, "title": "Night nurse " * 20})

    # When it is scored at a width
    result = run("score", file, COLUMNS=str(columns))

    # Then estimate, interval, stated pay, scam and match are whole, and the id is over its lines
    lines = result.stdout.splitlines()
    assert "91%  $81k (60k–99k)            SCAM 87%   100%" in lines[2]
    assert "stated CA$28.41–35.12/hr" in lines[3]
    assert "".join(line.split("  ")[0].strip() for line in lines[2:]) == identifier
    assert max(map(len, lines)) <= columns


def test_score_of_own_models_is_wider_than_the_terminal_rather_than_cut(
    run: Run, worker: Any, write_lines: Write
) -> None:
    # Given answers of three models of the user's own beside those of the scoring model
    own = {
        f"model-{i}": results.CustomPrediction(value=123_400.0 + i, model=STAMP) for i in range(3)
    }
    worker.answer(
        score=lambda request: results.ScoreResult(
            scores=tuple(
                score(item).model_copy(update={"custom": own}) for item in request.postings
            )
        )
    )

    # When they are shown in 60 columns
    result = run("score", write_lines(posting(1)), COLUMNS="60")

    # Then every figure is there
    row = result.stdout.splitlines()[2]
    assert "91%  $81k (60k–99k)  SCAM 87%" in row
    assert row.split()[-3:] == ["123,400", "123,401", "123,402"]


def test_score_as_json_prints_a_row_a_posting_in_the_order_sent(
    run: Run, worker: Any, write_lines: Write
) -> None:
    # Given more postings than a chunk holds, with text that is not ASCII
    worker.answer(score=scores)
    file = write_lines(*(posting(i, description="Pflege in Köln 🏥") for i in range(10)))

    # When they are scored as JSON, four a job
    result = run("score", file, "--json", "--chunk", 4)

    # Then stdout holds nothing but one object a posting, in order
    assert result.exit_code == 0
    assert [row["posting_id"] for row in json_rows(result)] == [f"job-{i}" for i in range(10)]
    assert [len(request.postings) for request in worker.requests] == [4, 4, 2]
    assert worker.requests[0].postings[0].description == "Pflege in Köln 🏥"


def test_score_sends_profile_and_models_and_stops_at_the_limit(
    run: Run, worker: Any, write_lines: Write, tmp_path: Path
) -> None:
    worker.answer(score=scores)
    (tmp_path / "resume.txt").write_text("\ufeffA nurse of ten years", encoding="utf-8")

    result = run(
        *("score", write_lines(*map(posting, range(5))), "--limit", 3, "--model", "mine"),
        *("--model", "multi-task", "--profile", tmp_path / "resume.txt"),
    )

    assert result.exit_code == 0
    (request,) = worker.requests
    assert request.profile == "A nurse of ten years"
    assert request.models == ("mine", "multi-task")
    assert len(request.postings) == 3
    assert "no match was predicted" in result.stderr


def test_a_bad_line_in_a_file_sends_nothing_at_all(
    run: Run, worker: Any, write_lines: Write, producer: Any
) -> None:
    # Given a file whose last line is bad
    file = write_lines(*map(posting, range(200)), {"id": "x", "titel": "typing error"})

    # When it is scored
    result = run("score", file)

    # Then the line is named, and no job was sent
    assert result.exit_code == 2
    assert "rows.jsonl:201: titel: is not a field of contract version 1" in result.stderr
    assert producer.depths()["inference.bulk"] == 0


def test_skipped_lines_are_told_and_end_in_a_code_of_their_own(
    run: Run, worker: Any, write_lines: Write, tmp_path: Path
) -> None:
    # Given good and bad lines
    worker.answer(score=scores)
    file = write_lines(posting(1), '{"id": ', posting(2), {"id": 5, "title": "x"})
    output = tmp_path / "scores.jsonl"

    # When bad ones are to be skipped
    result = run("score", file, "--skip-invalid", "--output", output)

    # Then the good ones are scored and written, and each bad one is told
    assert result.exit_code == 3
    assert "skipped: rows.jsonl:2: line: is not JSON" in result.stderr
    assert "skipped: rows.jsonl:4: id: " in result.stderr
    written = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [row["posting_id"] for row in written] == ["job-1", "job-2"]
    assert list(tmp_path.glob("*.part")) == []


def test_of_a_pipe_what_comes_before_a_bad_line_is_scored(run: Run, worker: Any) -> None:
    # Given a stream with a bad third line
    worker.answer(score=scores)
    stream = "\n".join(
        [json.dumps(posting(1)), json.dumps(posting(2)), "{", json.dumps(posting(3))]
    )

    # When it is scored
    result = run("score", "-", "--json", stdin=stream)

    # Then the first two are, and the third is named
    assert result.exit_code == 2
    assert [row["posting_id"] for row in json_rows(result)] == ["job-1", "job-2"]
    assert "stdin:3: line: is not JSON" in result.stderr


def test_a_failed_job_is_told_in_one_line_and_ends_in_failure(
    run: Run, worker: Any, write_lines: Write
) -> None:
    # Given a worker that cannot do the first chunk
    def answer(request: Any) -> Message:
        if request.postings[0].id == "job-0":
            raise InvalidInput("models", "there is no such model")
        return scores(request)

    worker.answer(score=answer)

    # When two chunks are scored
    result = run("score", write_lines(*map(posting, range(4))), "--chunk", 2)

    # Then the failure is one line that says where to look, and the command fails
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if "failed" in line]
    assert "models: there is no such model" in line
    assert "jobsentinel dead-letters show score-" in line


def test_a_wait_that_is_too_long_ends_and_says_so(
    run: Run, write_lines: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given no worker, and little patience
    monkeypatch.setattr(waiting, "SILENCE_S", 0.1)

    # When a posting is scored
    result = run("score", write_lines(posting(1)), "--timeout", 0.3)

    # Then the command fails, with a word about where to look
    assert result.exit_code == 1
    assert "no answer yet; `jobsentinel status` shows whether a worker is there" in result.stderr
    assert "is still queued; the same command gets its answer later" in result.stderr


def test_no_postings_are_no_error(run: Run, write_lines: Write) -> None:
    result = run("score", write_lines(), "--json")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 postings scored" in result.stderr


def test_index_adds_up_what_was_new(run: Run, worker: Any, write_lines: Write) -> None:
    # Given a store that knows the first posting of each chunk
    def answer(request: Any) -> Message:
        return results.IndexResult(indexed=len(request.postings) - 1, unchanged=1)

    worker.answer(index=answer)

    # When seven postings are indexed, three a job
    result = run("index", write_lines(*map(posting, range(7))), "--chunk", 3, "--json")

    # Then the sums are over all jobs
    assert result.exit_code == 0
    assert json_rows(result) == [{"indexed": 4, "unchanged": 3, "skipped": 0}]


def ranking(request: Any) -> results.RerankResult:
    chosen = (request.candidates or ())[: request.final_top_k]
    return results.RerankResult(
        ranked=tuple(
            results.RankedPosting(
                id=item.id,
                rank=i + 1,
                score=0.9 - i / 10,
                bi_encoder_score=0.5,
                bi_encoder_rank=i + 1,
                cross_encoder_score=2.5,
                cross_encoder_rank=i + 2,
            )
            for i, item in enumerate(chosen)
        ),
        candidates=len(request.candidates or ()),
        timings_ms={"total": 12.3},
        models=(STAMP,),
    )


def test_rank_takes_postings_and_plain_texts_as_candidates(
    run: Run, worker: Any, write_lines: Write
) -> None:
    # Given candidates of both kinds
    worker.answer(rerank=ranking)
    file = write_lines(posting(1, company="Acme"), {"id": "t", "text": "Line one\nLine two"})

    # When they are ranked for a text
    result = run("rank", "--text", "a nurse", "--candidates", file, "--top", 5, "--initial", 3)

    # Then the table names both, and the first stage passes on at least as many as are wanted
    assert result.exit_code == 0
    assert "Nurse [bold]no 1[/]" in result.stdout
    assert "Line one Line two" in result.stdout
    assert "2 postings ranked out of 2 (total 12 ms)" in result.stderr
    (request,) = worker.requests
    assert next(item.text for item in request.candidates).startswith("Nurse")
    assert (request.initial_top_k, request.final_top_k) == (5, 5)


def test_rank_over_nothing_says_what_to_do(run: Run, worker: Any) -> None:
    worker.answer(rerank=ranking)

    result = run("rank", "-", stdin="a nurse")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "nothing is indexed yet" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["FILE", "--text", "x"]])
def test_rank_wants_one_query(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "q.txt").write_text("x")
    given = [str(tmp_path / "q.txt") if a == "FILE" else a for a in arguments]

    result = run("rank", *given)

    assert result.exit_code == 2
    assert "give either QUERY_FILE or --text" in result.stderr


def test_select_shows_every_reason_whole(run: Run, worker: Any, write_lines: Write) -> None:
    # Given a pick with a long reason
    reason = "nearest to the centre of cluster 1 of 4, unlike everything else that was picked"

    def answer(request: Any) -> Message:
        return results.SelectResult(
            picks=(results.Pick(id="job-2", score=0.5, reason=reason),),
            scores={item.id: 0.5 for item in request.samples},
            strategy=request.strategy,
            seed=request.seed,
            model=STAMP,
        )

    worker.answer(select=answer)

    # When samples are selected
    result = run(
        *("select", write_lines(*map(posting, range(5)))),
        *("--strategy", "margin", "--num", 1, "--seed", 7),
    )

    # Then the reason is there word for word, over as many lines as it takes
    assert result.exit_code == 0
    column = result.stdout.splitlines()[0].index("reason")
    lines = result.stdout.splitlines()[2:]
    assert " ".join(line[column:].strip() for line in lines) == reason
    assert "1 sample chosen out of 5 by margin, seed 7" in result.stderr


def test_labels_go_in_messages_that_the_fleet_takes(
    run: Run, worker: Any, write_lines: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more labels than a message may hold
    monkeypatch.setattr("jobsentinel.contract.limits.MAX_LABELS_A_MESSAGE", 2)

    def answer(request: Any) -> Message:
        return results.AddLabelsResult(stored=len(request.labels), unchanged=0)

    worker.answer(add_labels=answer)
    labels = [{"posting_id": f"job-{i}", "kind": "scam", "value": True} for i in range(5)]

    # When they are added
    result = run("label", "add", write_lines(*labels), "--json")

    # Then all are stored
    assert result.exit_code == 0
    assert json_rows(result) == [{"stored": 5, "unchanged": 0, "skipped": 0}]
    assert [len(request.labels) for request in worker.requests] == [2, 2, 1]


def test_a_label_of_the_wrong_kind_is_named(run: Run, write_lines: Write) -> None:
    file = write_lines({"posting_id": "a", "kind": "scam", "value": "yes"})

    result = run("label", "add", file)

    assert result.exit_code == 2
    assert "rows.jsonl:1: value: must be true or false for kind 'scam'" in result.stderr
