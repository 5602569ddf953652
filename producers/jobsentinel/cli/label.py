"""`jobsentinel label`: people's answers go to the fleet's store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.json_lines import INPUT_FILE, Rows, skip_invalid_option
from jobsentinel.cli.output import json_option, plural, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import bar, timeout_option, wait_for
from jobsentinel.contract import limits
from jobsentinel.contract.postings import Label


@click.group("label")
def command() -> None:
    """Store people's labels."""


@command.command("add")
@click.argument("file", type=INPUT_FILE)
@skip_invalid_option
@timeout_option
@json_option
@pass_session
def add(
    session: Session, file: Path, skip_invalid: bool, timeout_s: float | None, as_json: bool
) -> int:
    """Store the labels in FILE: JSON Lines of posting_id, kind, value and annotator.

    A newer label by the same annotator for the same question replaces the older one.
    """
    labels = Rows(file, Label.parse, skip_invalid=skip_invalid)
    total = labels.check()
    stored = unchanged = 0
    with labels, session.producer() as producer, bar("storing labels", total) as shown:
        for chunk in _chunks(labels):
            answer = wait_for(producer.add_labels(chunk), timeout_s=timeout_s)
            stored += answer.stored
            unchanged += answer.unchanged
            shown.advance(len(chunk))
    if as_json:
        print_json({"stored": stored, "unchanged": unchanged, "skipped": labels.skipped})
    complain(f"{plural(stored, 'label')} new or changed, {unchanged:,} there already")
    return labels.settle()


def _chunks(labels: Rows[Label]) -> Iterator[list[Label]]:
    chunk: list[Label] = []
    for label in labels:
        chunk.append(label)
        if len(chunk) == limits.MAX_LABELS_A_MESSAGE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
