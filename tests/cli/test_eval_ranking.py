"""`jobsentinel eval ranking` over a real store, with a small random encoder as the base."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jobsentinel import Settings
from jobsentinel.cli.program import Program
from jobsentinel.cli.session import Session
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.cli.eval_ranking import EVALUATION_FILE, command
from jobsentinel_workers.store import Database, embeddings, postings

Run = Callable[..., Result]
WriteLines = Callable[..., Path]

POSTINGS = [
    {"id": "a", "title": "Night nurse", "description": "Cardiac ward."},
    {"id": "b", "title": "Truck driver", "description": "Long hauls."},
    {"id": "c", "title": "Baker", "description": "Early shifts."},
]
JUDGED = [
    {"query": "nurse", "posting_id": "a", "relevance": 2},
    {"query": "nurse", "posting_id": "b", "relevance": 0},
    {"query": "driver of trucks", "posting_id": "b", "relevance": 1},
    {"query": "baker of bread", "posting_id": "c", "relevance": 1},
]


@pytest.fixture
def evaluate(settings: Settings, tiny_encoder_path: Path) -> Run:
    """Run `eval ranking` with arguments in this process."""
    program = Program("jobsentinel", commands={"eval": command})
    program.get_command = lambda ctx, name: command  # type: ignore[method-assign]  # this one alone
    environment = {
        "JOBSENTINEL_ENCODER_PATH": str(tiny_encoder_path),
        "JOBSENTINEL_PRECISION": "fp32",
        "COLUMNS": "80",
    }

    def run(*arguments: object, stdin: str | None = None) -> Result:
        return CliRunner().invoke(
            program,
            ["eval", "ranking", *map(str, arguments)],
            input=stdin,
            env=environment,
            obj=Session(data_dir=settings.data_dir),
        )

    return run


@pytest.fixture
def store(settings: Settings) -> Iterator[Database]:
    """The store with the three postings."""
    opened = Database.open(settings.store_url)
    rows: list[dict[str, Any]] = []
    for posting in POSTINGS:
        text = f"{posting['title']}\n{posting['description']}"
        rows.append({**posting, "text": text, "content_hash": content_hash(text)})
    with opened.begin() as connection:
        postings.upsert(connection, rows)
    yield opened
    opened.close()


@pytest.mark.usefixtures("store")
def test_each_stage_has_a_row_with_its_measures(evaluate: Run, write_lines: WriteLines) -> None:
    result = evaluate("--judgements", write_lines(*JUDGED))

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("3 queries")
    assert [line.split()[0] for line in lines[3:7]] == ["lexical", "dense", "hybrid", "final"]
    assert lines[3].split()[1] == "1.000"
    assert "final" in result.stdout
    assert "paired randomisation test" in result.stdout
    assert result.stderr.startswith("3 documents ranked by ")


@pytest.mark.usefixtures("store")
def test_json_says_the_same_on_one_line(evaluate: Run, write_lines: WriteLines) -> None:
    result = evaluate("--judgements", write_lines(*JUDGED), "--json", "--initial", 2)

    (line,) = result.stdout.splitlines()
    report = json.loads(line)
    assert report["stages"] == ["lexical", "dense", "hybrid", "final"]
    assert report["overall"]["measures"]["lexical"]["nDCG@10"]["value"] == 1.0
    assert set(report["overall"]["gains"]["hybrid"]) == {"nDCG@10", "MRR@10", "P@10", "Recall@100"}
    assert (report["documents"], report["initial_top_k"]) == (3, 2)
    assert report["cross_encoder"] == "reranker@0"


def test_embeddings_of_the_store_are_read_and_none_is_written(
    evaluate: Run, write_lines: WriteLines, store: Database
) -> None:
    judged = write_lines(*JUDGED)
    report = json.loads(evaluate("--judgements", judged, "--json").stdout)
    encoder = report["bi_encoder"]

    with store.connect() as connection:
        assert embeddings.count(connection, encoder) == 0
        key = content_hash("Baker\nEarly shifts.")
    with store.begin() as connection:
        embeddings.put_many(connection, encoder, {key: [float("1e-9")] * 31 + [1.0]})
    again = json.loads(evaluate("--judgements", judged, "--json").stdout)

    assert again["overall"]["measures"]["lexical"] == report["overall"]["measures"]["lexical"]
    assert again["overall"]["measures"]["dense"] != report["overall"]["measures"]["dense"]


def test_judged_texts_need_no_store(
    evaluate: Run, write_lines: WriteLines, settings: Settings
) -> None:
    rows = [
        {"query": "nurse", "text": "Night nurse", "relevance": 1},
        {"query": "nurse", "text": "Truck driver", "relevance": 0},
        {"query": "truck driver", "text": "Truck driver", "relevance": 1},
    ]

    result = evaluate("--judgements", write_lines(*rows))

    assert result.exit_code == 0, result.output
    assert "2 documents ranked" in result.stderr
    assert not settings.data_dir.exists()


@pytest.mark.usefixtures("store")
def test_a_file_of_candidates_is_ranked_instead_of_the_store(
    evaluate: Run, write_lines: WriteLines
) -> None:
    others = write_lines(
        {"id": "x", "title": "Night nurse"}, {"id": "y", "text": "Baker"}, name="others.jsonl"
    )
    judged = write_lines(
        {"query": "nurse", "posting_id": "x", "relevance": 1},
        {"query": "baker", "posting_id": "y", "relevance": 1},
        {"query": "baker", "text": "Baker ", "relevance": 1},
    )

    result = evaluate("--judgements", judged, "--candidates", others)

    assert result.exit_code == 0, result.output
    assert "2 documents ranked" in result.stderr


@pytest.mark.usefixtures("store")
def test_judged_postings_that_are_gone_are_named_and_do_not_count(
    evaluate: Run, write_lines: WriteLines
) -> None:
    judged = write_lines(
        *JUDGED,
        {"query": "nurse", "posting_id": "gone", "relevance": 2},
        {"query": "pilot", "posting_id": "gone-too", "relevance": 1},
    )

    result = evaluate("--judgements", judged)

    assert result.exit_code == 3
    assert "2 judged postings" in result.stderr
    assert "'gone', 'gone-too'" in result.stderr
    assert "1 more left out: none of their documents is relevant" in result.stdout


@pytest.mark.usefixtures("store")
def test_segments_are_printed_by_name_or_by_length(evaluate: Run, write_lines: WriteLines) -> None:
    rows = [row | {"segment": "ward"} if row["query"] == "nurse" else row for row in JUDGED]
    judged = write_lines(*rows)

    named, by_length = (
        evaluate("--judgements", judged),
        evaluate("--judgements", judged, "--segments"),
    )

    assert "\nward " in named.stdout
    assert "up to 3 words" not in named.stdout
    assert "\nward " in by_length.stdout
    assert "\nup to 3 words " in by_length.stdout


@pytest.mark.usefixtures("store")
def test_the_report_holds_what_each_query_got(
    evaluate: Run, write_lines: WriteLines, tmp_path: Path
) -> None:
    result = evaluate("--judgements", write_lines(*JUDGED), "--out", tmp_path / "new" / "out")

    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "new" / "out" / EVALUATION_FILE).read_text("utf-8"))
    assert [row["query"] for row in report["by_query"]] == [
        "nurse",
        "driver of trucks",
        "baker of bread",
    ]
    assert set(report["by_query"][0]["measures"]) == set(report["stages"])


def test_every_bad_row_is_named_by_its_line(evaluate: Run, write_lines: WriteLines) -> None:
    judged = write_lines(
        JUDGED[0],
        "",
        {"query": "nurse", "posting_id": "a", "relevance": -1},
        "{not json",
        {"query": "nurse", "relevance": 1},
    )

    result = evaluate("--judgements", judged)

    assert result.exit_code == 2
    assert "3 rows are wrong" in result.stderr
    for start in (
        "rows.jsonl:3: relevance: ",
        "rows.jsonl:4: line: ",
        "rows.jsonl:5: posting_id: ",
    ):
        assert start in result.stderr


def test_rows_that_contradict_each_other_are_named_both(
    evaluate: Run, write_lines: WriteLines
) -> None:
    judged = write_lines(*JUDGED[:2], JUDGED[0] | {"relevance": 0})

    result = evaluate("--judgements", judged)

    assert result.exit_code == 2
    assert "rows.jsonl:3: relevance" in result.stderr
    assert "rows.jsonl:1" in result.stderr


@pytest.mark.parametrize(
    ("rows", "options", "code", "words"),
    [
        ([], [], 2, "holds no row"),
        (JUDGED, ["--index", "--candidates", "{judged}"], 2, "either --index or --candidates"),
        (JUDGED, [], 1, "there is no store"),
        (JUDGED, ["--out", "{judged}"], 2, "--out"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_the_reason(
    evaluate: Run,
    write_lines: WriteLines,
    *,
    rows: list[dict[str, Any]],
    options: list[str],
    code: int,
    words: str,
) -> None:
    judged = write_lines(*rows)
    given = [option.format(judged=judged) for option in options]

    result = evaluate("--judgements", judged, *given)

    assert result.exit_code == code
    assert words in result.stderr


@pytest.mark.usefixtures("store")
def test_judgements_of_other_postings_alone_are_refused(
    evaluate: Run, write_lines: WriteLines
) -> None:
    judged = write_lines({"query": "nurse", "posting_id": "elsewhere", "relevance": 1})

    result = evaluate("--judgements", judged)

    assert result.exit_code == 2
    assert "'elsewhere'" in result.stderr
