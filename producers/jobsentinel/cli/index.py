"""`jobsentinel index`: postings in, so that `rank` finds them without their being sent again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import skip_invalid_option
from jobsentinel.cli.output import json_option, plural, print_json
from jobsentinel.cli.postings_source import POSTINGS, PostingRows, source_options
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import Answers, bar, timeout_option
from jobsentinel.contract import limits


@click.command("index")
@click.argument("file", type=POSTINGS)
@source_options
@click.option(
    "--chunk",
    type=click.IntRange(1, limits.MAX_POSTINGS_A_MESSAGE),
    default=limits.DEFAULT_CHUNK_POSTINGS,
    show_default=True,
    help="Postings a job.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Index only the first so many postings.")
@skip_invalid_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    /,
    file: Path,
    *,
    chunk: int,
    limit: int | None,
    skip_invalid: bool,
    timeout_s: float | None,
    as_json: bool,
    **how: Any,
) -> int:
    """Store the postings in FILE with their embeddings. FILE is as for `score`."""
    postings = PostingRows(file, skip_invalid=skip_invalid, limit=limit, **how)
    total = postings.check()
    indexed = unchanged = 0
    with ExitStack() as stack:
        stack.enter_context(postings)
        producer = stack.enter_context(session.producer())
        stream = producer.index(iter(postings), chunk_size=chunk)
        answers = stack.enter_context(Answers(stream, timeout_s))
        shown = stack.enter_context(bar("indexing", total))
        for answer in answers:
            indexed += answer.indexed
            unchanged += answer.unchanged
            shown.advance(answer.indexed + answer.unchanged)
    if as_json:
        print_json({"indexed": indexed, "unchanged": unchanged, "skipped": postings.skipped})
    complain(f"{plural(indexed, 'posting')} new or changed, {unchanged:,} there already")
    return ExitCode.FAILED if answers.failed else postings.settle()
