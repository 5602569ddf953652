"""`jobsentinel results`: what the fleet has answered so far, from the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, plural, print_json, print_table
from jobsentinel.cli.predictions import predicted, prediction_columns
from jobsentinel.cli.results_file import output_option, results_file
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import bar
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.results import PostingScore
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
@output_option
@json_option
@pass_session
def export(
    session: Session,
    /,
    *,
    task: str | None,
    posting_id: str | None,
    since: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Write results as JSON Lines, oldest first, to stdout or to --output."""
    from jobsentinel_workers.store import results

    del as_json  # it is JSON Lines either way
    written = 0
    with ExitStack() as stack:
        connection = stack.enter_context(reading(session.settings))
        total = results.count(connection, task=task, posting_id=posting_id)
        found = results.iterate(connection, since=since, task=task, posting_id=posting_id)
        write = print_json if output is None else stack.enter_context(results_file(output))
        shown = stack.enter_context(bar("exporting", total, as_json=output is None))
        for result in found:
            write(asdict(result))
            shown.advance()
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
