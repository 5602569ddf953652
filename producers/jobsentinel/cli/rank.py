"""`jobsentinel rank`: candidates or indexed postings, best first, for a résumé or a query."""

from __future__ import annotations

from pathlib import Path

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import (
    INPUT_FILE,
    Rows,
    all_rows,
    read_text,
    skip_invalid_option,
)
from jobsentinel.cli.output import json_option, plural, print_json, print_table
from jobsentinel.cli.postings_input import candidate, first_line
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option, wait_for, waiting_note
from jobsentinel.contract import limits
from jobsentinel.contract.base import dump
from jobsentinel.contract.results import RerankResult

_COUNT = click.IntRange(1, limits.MAX_CANDIDATES)


@click.command("rank")
@click.argument("query_file", type=INPUT_FILE, required=False)
@click.option("--text", help="The query itself, instead of a file.")
@click.option(
    "--candidates",
    "candidates_file",
    type=INPUT_FILE,
    metavar="FILE",
    help="JSON Lines of postings, or of objects with id and text; else all indexed postings.",
)
@click.option("--top", type=_COUNT, default=20, show_default=True, help="Length of the ranking.")
@click.option(
    "--initial",
    type=_COUNT,
    default=100,
    show_default=True,
    help="Candidates that the first stage passes on to the cross-encoder.",
)
@click.option("--bi-encoder", metavar="NAME", help="A similarity model of yours for stage one.")
@skip_invalid_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    /,
    query_file: Path | None,
    *,
    text: str | None,
    candidates_file: Path | None,
    top: int,
    initial: int,
    bi_encoder: str | None,
    skip_invalid: bool,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Rank postings for the text in QUERY_FILE (- for stdin), such as a résumé."""
    query = _query(query_file, text)
    titles: dict[str, str] = {}
    candidates, code = None, ExitCode.DONE
    if candidates_file is not None:
        rows = Rows(candidates_file, candidate, skip_invalid=skip_invalid)
        candidates, code = all_rows(rows, "candidates", limits.MAX_CANDIDATES)
        titles = {item.id: first_line(item) for item in candidates}
    with session.producer() as producer, waiting_note("ranking"):
        handle = producer.rerank(
            query,
            candidates,
            initial_top_k=max(initial, top),
            final_top_k=top,
            bi_encoder=bi_encoder,
        )
        result = wait_for(handle, timeout_s=timeout_s)
    if as_json:
        print_json(dump(result))
    elif result.ranked:
        _print_table(result, titles)
    complain(_summary(result))
    return code


def _query(file: Path | None, text: str | None) -> str:
    if (file is None) == (text is None):
        raise click.UsageError("give either QUERY_FILE or --text")
    return text if text is not None else read_text(file, "query") if file else ""


def _print_table(result: RerankResult, titles: dict[str, str]) -> None:
    posting = ["~posting"] if titles else []
    columns = [">#", "id", *posting, ">score", ">bi-encoder", ">cross-enc."]
    rows = [
        [
            item.rank,
            item.id,
            *([titles.get(item.id)] if titles else []),
            f"{item.score:.3f}",
            f"{item.bi_encoder_score:.3f} (#{item.bi_encoder_rank})",
            f"{item.cross_encoder_score:.3f} (#{item.cross_encoder_rank})",
        ]
        for item in result.ranked
    ]
    print_table(columns, rows)


def _summary(result: RerankResult) -> str:
    times = ", ".join(f"{name} {ms:.0f} ms" for name, ms in result.timings_ms.items())
    text = f"{plural(len(result.ranked), 'posting')} ranked out of {result.candidates:,}"
    if not result.candidates:
        text += "; nothing is indexed yet: `jobsentinel index FILE`, or give --candidates"
    return f"{text} ({times})" if times else text
