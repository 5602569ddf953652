"""`jobsentinel label`: people's answers go to the fleet's store; labelling needs the workers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

import click

from jobsentinel.cli.feedback import feedback
from jobsentinel.cli.json_lines import INPUT_FILE, Rows, skip_invalid_option
from jobsentinel.cli.label_sending import send_labels
from jobsentinel.cli.output import json_option
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option
from jobsentinel.contract.postings import Label

STORE_SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "start": "Label stored postings in the terminal.",
        "export": "Choose postings to label and write them for a tool.",
        "import": "Store the labels that a tool gives.",
        "review": "List labels that are probably wrong.",
    }
)
"""Commands of the heavy wing, which read and write the store."""


class Labels(click.Group):
    """A group whose commands for the store come from the heavy wing, when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which somebody meets them."""
        return [*super().list_commands(ctx), *STORE_SUMMARIES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command, or return None when there is none of that name."""
        if cmd_name not in STORE_SUMMARIES:
            return super().get_command(ctx, cmd_name)
        from jobsentinel.cli.program import plugin

        return cast(click.Group, plugin("label")).get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and summaries without loading the heavy wing."""
        light = [(name, each.get_short_help_str()) for name, each in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*light, *STORE_SUMMARIES.items()])


@click.group("label", cls=Labels)
def command() -> None:
    """Label stored postings, and store people's labels."""


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
