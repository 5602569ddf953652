"""`jobsentinel rank`: candidates or indexed postings, best first, for a résumé or a query."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import (
    INPUT_FILE,
    Rows,
    all_rows,
    read_text,
    skip_invalid_option,
)
from jobsentinel.cli.output import json_option, print_json
from jobsentinel.cli.postings_input import candidate, first_line
from jobsentinel.cli.ranking_table import print_ranking, ranking_summary
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option, wait_for, waiting_note
from jobsentinel.contract import limits
from jobsentinel.contract.base import dump
from jobsentinel.contract.requests import FirstStage

_COUNT = click.IntRange(1, limits.MAX_CANDIDATES)
_FIRST_STAGES = click.Choice(get_args(FirstStage))


@click.command("rank")
@click.argument("query_file", type=INPUT_FILE, required=False)
@click.option(
    "--query-file", "named_file", type=INPUT_FILE, metavar="FILE", help="The same as QUERY_FILE."
)
@click.option("--text", help="The query itself, instead of a file.")
@click.option(
    "--candidates",
    "candidates_file",
    type=INPUT_FILE,
    metavar="FILE",
    help="JSON Lines of postings, or of objects with id and text; else all indexed postings.",
)
@click.option("--where", metavar="FILTER", help='Which indexed postings, such as "remote = true".')
@click.option("--top", type=_COUNT, default=20, show_default=True, help="Length of the ranking.")
@click.option(
    "--initial",
    type=_COUNT,
    default=100,
    show_default=True,
    help="Candidates that the first stage passes on to the cross-encoder.",
)
@click.option(
    "--first-stage",
    type=_FIRST_STAGES,
    default="hybrid",
    show_default=True,
    help="Find candidates by embeddings (dense), by words (lexical), or by both.",
)
@click.option("--bi-encoder", metavar="NAME", help="A similarity model of yours for stage one.")
@click.option(
    "--diversity",
    type=click.FloatRange(0, 1),
    help="How much variety counts beside the score, from 0 to 1.",
)
@click.option("--keep-duplicates", is_flag=True, help="List copies of a posting one by one.")
@skip_invalid_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    /,
    query_file: Path | None,
    *,
    named_file: Path | None,
    text: str | None,
    candidates_file: Path | None,
    where: str | None,
    top: int,
    initial: int,
    first_stage: str,
    bi_encoder: str | None,
    diversity: float | None,
    keep_duplicates: bool,
    skip_invalid: bool,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Rank postings for the text in QUERY_FILE (- for stdin), such as a résumé."""
    query = _query(query_file, named_file, text)
    candidates, code = None, ExitCode.DONE
    if candidates_file is not None:
        rows = Rows(
            candidates_file, candidate, skip_invalid=skip_invalid, limit=limits.MAX_CANDIDATES + 1
        )
        candidates, code = all_rows(rows, "candidates", limits.MAX_CANDIDATES + 1)
    with session.producer() as producer, waiting_note("ranking"):
        handle = producer.rerank(
            query,
            candidates,
            initial_top_k=max(initial, top),
            final_top_k=top,
            bi_encoder=bi_encoder,
            first_stage=first_stage,
            where=where,
            collapse_duplicates=not keep_duplicates,
            diversity=diversity,
        )
        result = wait_for(handle, timeout_s=timeout_s)
    if as_json:
        print_json(dump(result))
    elif result.ranked:
        titles = {item.id: first_line(item) for item in candidates or ()}
        print_ranking(result, titles)
    complain(ranking_summary(result, where))
    return code


def _query(file: Path | None, named_file: Path | None, text: str | None) -> str:
    given = [value for value in (file, named_file, text) if value is not None]
    if len(given) != 1:
        raise click.UsageError("give either QUERY_FILE or --text")
    return given[0] if isinstance(given[0], str) else read_text(given[0], "query")
