"""`jobsentinel label feedback`: what job seekers did with what a search brought them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

from jobsentinel.cli.json_lines import INPUT_FILE, Rows, read_text
from jobsentinel.cli.label_sending import send_labels, tell
from jobsentinel.cli.output import json_option
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option, wait_for
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import RELEVANCE, FeedbackEvent
from jobsentinel.contract.postings import Label


@click.command("feedback")
@click.argument("file", type=INPUT_FILE, required=False)
@click.option("--posting", "posting_id", metavar="ID", help="Instead of FILE: which posting.")
@click.option("--event", type=click.Choice(get_args(FeedbackEvent)), help="What was done with it.")
@click.option("--value", type=float, help="How well it fits, from 0 to 1; for --event rated too.")
@click.option("--rank", "shown_rank", type=int, help="The place at which it was shown, from 1.")
@click.option("--query", metavar="TEXT", help="What was searched for; of lines that lack it.")
@click.option("--query-file", type=INPUT_FILE, help="The same out of a file, such as a résumé.")
@click.option("--by", "annotator", metavar="NAME", help="Who says so; of lines that lack it.")
@timeout_option
@json_option
@pass_session
def feedback(
    session: Session,
    /,
    *,
    file: Path | None,
    query: str | None,
    query_file: Path | None,
    annotator: str | None,
    timeout_s: float | None,
    as_json: bool,
    **said: Any,
) -> int:
    """Store feedback that trains the reranker: that in FILE, or one posting's.

    FILE is JSON Lines of posting_id, query, and event (applied, saved, dismissed, rated) or value,
    perhaps with shown_rank and annotator. Bad lines are left out and listed on stderr (exit 3).
    """
    defaults = _given(kind=RELEVANCE, query=_query(query, query_file), annotator=annotator)
    given = _given(**said)
    if file is None:
        return _send_one(session, {**defaults, **given}, timeout_s, as_json=as_json)
    if given:
        raise InvalidInput("FILE", "must not be given beside --posting, --event, --value or --rank")
    rows = Rows(file, lambda row: _label(row, defaults), skip_invalid=True)
    return send_labels(session, rows, timeout_s=timeout_s, as_json=as_json)


def _send_one(
    session: Session, row: Mapping[str, Any], timeout_s: float | None, *, as_json: bool
) -> int:
    if "posting_id" not in row:
        raise InvalidInput("FILE", "or --posting must be given")
    label = Label.parse(row)
    with session.producer() as producer:
        answer = wait_for(producer.add_labels([label]), timeout_s=timeout_s)
    tell(answer.stored, answer.unchanged, 0, as_json=as_json)
    return 0


def _query(query: str | None, file: Path | None) -> str | None:
    if file is None:
        return query
    if query is not None:
        raise InvalidInput("--query-file", "must not be given beside --query")
    return read_text(file, "--query-file")


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _label(row: object, defaults: Mapping[str, Any]) -> Label:
    if not isinstance(row, dict):
        return Label.parse(row)
    if row.get("kind", RELEVANCE) != RELEVANCE:
        raise InvalidInput("kind", f"must be {RELEVANCE!r}; other labels go by `label add`")
    return Label.parse({**defaults, **_given(**row)})
