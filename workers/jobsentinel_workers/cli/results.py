"""`jobsentinel results`: what the fleet has answered so far, from the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, plural, print_json, print_table
from jobsentinel.cli.predictions import predicted, prediction_columns
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import bar
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.results import PostingScore
from jobsentinel_workers.cli.export_filters import DAY, Wanted
from jobsentinel_workers.cli.export_tables import is_table, opened_output
from jobsentinel_workers.cli.opening import reading
from jobsentinel_workers.cli.showing import limit_option, minute

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from jobsentinel_workers.store.results import StoredResult


@click.group("results")
def command() -> None:
    """Look at stored results, or export them."""


@command.command("list")
@click.option("--task", help="Only results of this task, such as score.")
@click.option("--posting", "posting_id", metavar="ID", help="Only results for this posting.")
@limit_option
@json_option
@pass_session
def list_results(
    session: Session, task: str | None, posting_id: str | None, limit: int, as_json: bool
) -> None:
    """List results, newest first."""
    with reading(session.settings) as connection:
        found = _newest(connection, task, posting_id, limit)
    if as_json:
        for result in found:
            print_json(asdict(result))
    elif found:
        _print_scores([result for result in found if result.task == "score"])
        _print_others([result for result in found if result.task != "score"])
    else:
        complain("no results are stored")


@command.command("export")
@click.option("--task", help="Only results of this task, such as score.")
@click.option("--posting", "posting_id", metavar="ID", help="Only results for this posting.")
@click.option(
    "--since",
    type=click.IntRange(min=0),
    default=0,
    metavar="NUMBER",
    help="Only what came after this change_seq, that of the last row you have.",
)
@click.option("--model", metavar="NAME", help="Only what this model answered.")
@click.option("--after", type=DAY, metavar="DAY", help="Only results of this day or later.")
@click.option("--before", type=DAY, metavar="DAY", help="Only results of earlier days.")
@click.option("--category", metavar="KEY", help="Only scores of this category.")
@click.option(
    "--scam", type=click.Choice(["yes", "no"]), help="Only suspected scams, or none of them."
)
@click.option(
    "--min-match", type=click.FloatRange(0, 1), help="Only scores that match at least so well."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write to this file: CSV or Parquet by its ending, else JSON Lines.",
)
@json_option
@pass_session
def export(
    session: Session,
    /,
    *,
    task: str | None,
    posting_id: str | None,
    since: int,
    model: str | None,
    after: datetime | None,
    before: datetime | None,
    category: str | None,
    scam: str | None,
    min_match: float | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Write results, oldest first, to stdout as JSON Lines or to --output.

    CSV and Parquet hold scores only, a column for each thing that was predicted.
    """
    from jobsentinel_workers.store import results

    del as_json  # it is JSON Lines either way
    suspected = None if scam is None else scam == "yes"
    wanted = Wanted(model, after, before, category, suspected, min_match)
    if output is not None and is_table(output):
        task = task or "score"
    written = 0
    with ExitStack() as stack:
        connection = stack.enter_context(reading(session.settings))
        total = results.count(connection, task=task, posting_id=posting_id)
        found = results.iterate(connection, since=since, task=task, posting_id=posting_id)
        write = print_json if output is None else stack.enter_context(opened_output(output))
        shown = stack.enter_context(bar("exporting", total, as_json=output is None))
        for result in found:
            shown.advance()
            if wanted.holds(result):
                write(asdict(result))
                written += 1
    complain(f"{plural(written, 'result')} exported")


def _newest(
    connection: Connection, task: str | None, posting_id: str | None, limit: int
) -> list[StoredResult]:
    from sqlalchemy import select

    from jobsentinel_workers.store.results import StoredResult
    from jobsentinel_workers.store.schema import results

    chosen = select(results).order_by(results.c.change_seq.desc()).limit(limit)
    if task is not None:
        chosen = chosen.where(results.c.task == task)
    if posting_id is not None:
        chosen = chosen.where(results.c.item_id == posting_id)
    return [StoredResult(*row) for row in connection.execute(chosen)]


def _print_scores(found: list[StoredResult]) -> None:
    scores = list(_scores(found))
    if not scores:
        return
    custom = sorted({name for _, score in scores for name in score.custom})
    matched = any(score.match_quality is not None for _, score in scores)
    print_table(
        ["posting", *prediction_columns(matched, custom), "~model", "when"],
        [
            [
                score.posting_id,
                *predicted(score, matched, custom),
                f"{result.model.get('name', '-')} {result.model.get('version', '')}",
                minute(result.created_at),
            ]
            for result, score in scores
        ],
    )


def _scores(found: list[StoredResult]) -> Iterator[tuple[StoredResult, PostingScore]]:
    for result in found:
        try:
            yield result, PostingScore.parse(result.payload)
        except InvalidInput as error:  # written by another version of JobSentinel
            complain(f"cannot show the result for {result.item_id!r}: {error}; --json prints it")


def _print_others(found: list[StoredResult]) -> None:
    if found:
        print_table(
            ["item", "task", "when", "~result"],
            [
                [
                    each.item_id,
                    each.task,
                    minute(each.created_at),
                    json.dumps(each.payload, ensure_ascii=False),
                ]
                for each in found
            ],
        )
