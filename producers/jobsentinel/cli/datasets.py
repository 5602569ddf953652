"""`jobsentinel datasets`: rows to train on go into the store; looking at them needs the workers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast, get_args

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import json_option, plural, print_facts, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import bar, timeout_option, wait_for
from jobsentinel.contract.datasets import DatasetTask
from jobsentinel.dataset_sending import DEFAULT_CHUNK_ROWS, DatasetReceipt

SEND_SUMMARY: Final = "Store the rows of a file."
STORE_SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "list": "List stored datasets.",
        "show": "Show what a dataset holds, and check it.",
        "delete": "Delete a dataset.",
    }
)
"""Commands of the heavy wing, which read the store."""


class Datasets(click.Group):
    """A group whose commands for the store come from the heavy wing, when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which somebody meets them."""
        return [*super().list_commands(ctx), *STORE_SUMMARIES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command, or return None when there is none of that name."""
        if cmd_name not in STORE_SUMMARIES:
            return super().get_command(ctx, cmd_name)
        from jobsentinel.cli.program import plugin

        return cast(click.Group, plugin("datasets")).get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and summaries without loading the heavy wing."""
        with formatter.section("Commands"):
            formatter.write_dl([("send", SEND_SUMMARY), *STORE_SUMMARIES.items()])


@click.group("datasets", cls=Datasets)
def command() -> None:
    """Store rows to train on, and look at them."""


@command.command("send", short_help=SEND_SUMMARY)
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--task", type=click.Choice(get_args(DatasetTask)), required=True)
@click.option("--name", help="A name for people; the first one that a dataset has stays.")
@click.option(
    "--chunk-rows",
    type=click.IntRange(min=1),
    default=DEFAULT_CHUNK_ROWS,
    show_default=True,
    help="Rows a message; long texts make it fewer.",
)
@timeout_option
@json_option
@pass_session
def send(
    session: Session,
    /,
    *,
    file: Path,
    task: DatasetTask,
    name: str | None,
    chunk_rows: int,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Store the rows in FILE, or in a folder that save_to_disk made.

    FILE may be JSON Lines or CSV, either also with .gz, or Parquet.

    \b
    classification  text, label
    regression      text, value
    similarity      text_a, text_b, and score (0 to 1) in all rows or in none
    reranker        query, text, score (0 to 1)
    multi-task      text and some of category, salary_year_usd, scam, match, labels

    A file with a bad row is refused before anything is sent. Sent again, a file that was broken off
    goes on, and one that is stored is not stored twice.
    """
    with session.producer() as producer, bar("reading", None, as_json=as_json) as shown:
        receipt = producer.send_dataset(
            file,
            task,
            name,
            chunk_rows=chunk_rows,
            on_progress=lambda stored, total: shown.show(stored, total, "storing rows"),
            wait=lambda handle: wait_for(handle, timeout_s=timeout_s),
        )
    _print(receipt, as_json)
    return ExitCode.DONE


def _print(receipt: DatasetReceipt, as_json: bool) -> None:
    facts = {
        "sha256": receipt.sha256,
        "task": receipt.task,
        "rows": receipt.rows,
        "name": receipt.name,
        "sent_rows": receipt.sent_rows,
    }
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)
    if receipt.was_stored:
        known_as = f" as {receipt.name!r}" if receipt.name else ""
        complain(f"it is stored already{known_as}; nothing was sent")
    else:
        complain(f"{plural(receipt.sent_rows, 'row')} sent")
