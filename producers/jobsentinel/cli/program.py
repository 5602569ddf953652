"""The program itself: its global options, and its commands, each loaded when it is called.

`jobsentinel --help` loads none of them, so their names and summaries stand here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

import click

from jobsentinel.cli.exit_codes import MEANINGS, guarded
from jobsentinel.cli.session import Session

DISTRIBUTION: Final = "jobsentinel-ml"
PLUGIN_GROUP: Final = "jobsentinel.commands"

LIGHT: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "score": ("jobsentinel.cli.score", "Score postings: category, salary, scam, match."),
        "index": ("jobsentinel.cli.index", "Store postings so that `rank` finds them."),
        "remove": ("jobsentinel.cli.remove", "Remove stored postings, by id or by age."),
        "rank": ("jobsentinel.cli.rank", "Rank postings for a résumé or a query."),
        "select": ("jobsentinel.cli.select", "Choose the samples most worth a label."),
        "label": ("jobsentinel.cli.label", "Label stored postings, and store people's labels."),
        "datasets": ("jobsentinel.cli.datasets", "Store rows to train on, and look at them."),
        "train": ("jobsentinel.cli.train", "Train models on labelled rows."),
        "outbox": ("jobsentinel.cli.outbox", "Look at jobs that wait on disk, or send them."),
        "status": ("jobsentinel.cli.status", "Show queues, workers and the store."),
    }
)
HEAVY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "up": "Run Redis and the workers on this machine.",
        "runs": "Look at training runs.",
        "models": "List, promote, roll back and compare models.",
        "eval": "Measure how good the answers are, by judgements of your own.",
        "loop": "Retrain by itself when new labels make it worth while.",
        "replay": "Simulate labelling on labelled data: what a strategy saves.",
        "results": "Look at stored results, or export them.",
        "audit": "Show who changed what, and check that nobody altered it.",
        "dead-letters": "List, replay and drop jobs that were given up.",
        "doctor": "Check this installation and say what to do.",
    }
)
"""Commands of the heavy wing, found by the entry points of `PLUGIN_GROUP`."""

ORDER: Final = (
    "up",
    "score",
    "index",
    "rank",
    "remove",
    "select",
    "label",
    "loop",
    "replay",
    "datasets",
    "train",
    "runs",
    "models",
    "eval",
    "results",
    "audit",
    "dead-letters",
    "outbox",
    "status",
    "doctor",
)

EPILOG: Final = "\b\nExit codes:\n" + "\n".join(
    f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items()
)


class Program(click.Group):
    """A group that imports a command's module when the command is called."""

    def run(self) -> int:
        """Run with the arguments of this process and return the exit code."""
        return guarded(lambda: super(Program, self).main(standalone_mode=False))

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, as click's own runner does, and end the process."""
        extra["standalone_mode"] = False
        sys.exit(guarded(lambda: super(Program, self).main(*args, **extra)))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which somebody meets them."""
        return list(ORDER)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command, or return None when there is none of that name."""
        if cmd_name in LIGHT:
            command: click.Command = import_module(LIGHT[cmd_name][0]).command
            return command
        return plugin(cmd_name) if cmd_name in HEAVY else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and summaries without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(name)) for name in ORDER])


def _summary(name: str) -> str:
    return LIGHT[name][1] if name in LIGHT else HEAVY[name]


def plugin(name: str) -> click.Command:
    """Load a command of the heavy wing.

    Raises:
        ClickException: that wing is not installed; the message names the extra.
    """
    # The workers' modules come with every install; what they need, only with the extra.
    installed = find_spec("sqlalchemy") is not None and find_spec("torch") is not None
    for entry in entry_points(group=PLUGIN_GROUP, name=name) if installed else ():
        command: click.Command = entry.load()
        return command
    raise click.ClickException(
        f'`{name}` belongs to the workers: pip install "{DISTRIBUTION}[workers]"'
    )


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"jobsentinel {version(DISTRIBUTION)}")
        ctx.exit()


@click.group(cls=Program, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--redis-url",
    metavar="URL",
    help="Where the fleet's Redis is, instead of JOBSENTINEL_REDIS_URL or the one of `up`.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where everything is kept, instead of JOBSENTINEL_DATA_DIR.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def program(ctx: click.Context, redis_url: str | None, data_dir: Path | None) -> None:
    """Score, rank and select job postings, and train models, on your own machines.

    Postings come as JSON Lines, one object a line; `score` and `index` also take CSV, Parquet and
    saved pages. Every command takes --json, which prints JSON on stdout and nothing else there;
    messages go to stderr.
    """
    ctx.obj = Session(redis_url, data_dir)
