"""`jobsentinel label`: people's answers go to the fleet's store."""

from __future__ import annotations

from pathlib import Path

import click

from jobsentinel.cli.feedback import feedback
from jobsentinel.cli.json_lines import INPUT_FILE, Rows, skip_invalid_option
from jobsentinel.cli.label_sending import send_labels
from jobsentinel.cli.output import json_option
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option
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
    return send_labels(session, labels, timeout_s=timeout_s, as_json=as_json)


command.add_command(feedback)
