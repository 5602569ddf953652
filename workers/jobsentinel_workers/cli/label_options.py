"""Options that the commands for labelling share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jobsentinel.cli.select import StrategyName
from jobsentinel.cli.session import Session
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.cli.opening import require_store

if TYPE_CHECKING:
    from jobsentinel_workers.labelling.questions import Question
    from jobsentinel_workers.store import Database

F = TypeVar("F", bound=Callable[..., Any])

kind_option = click.option(
    "--kind",
    required=True,
    metavar="KIND",
    help="What is labelled: category, salary, scam, match, or a kind of your own.",
)
class_option = click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="LABEL",
    help="An answer of a kind of your own; repeat it. By default those labelled so far.",
)
model_option = click.option(
    "--model",
    default="multi-task",
    show_default=True,
    metavar="NAME",
    help="Whose stored answers count.",
)


def choosing_options(command: F) -> F:
    """Add how postings are chosen: ``--strategy``, ``--where`` and ``--seed``."""
    options = (
        click.option(
            "--strategy",
            type=StrategyName(),
            default="margin",
            show_default=True,
            metavar="NAME",
            help="How postings are chosen; `select --strategies` lists them.",
        ),
        click.option("--where", metavar="FILTER", help="Only of these postings, as `rank` does."),
        click.option("--seed", type=int, default=0, show_default=True, help="Repeats a choice."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def open_store(session: Session) -> Iterator[Database]:
    """Open the store for reading and writing.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """
    from jobsentinel_workers.store import Database

    require_store(session.settings)
    database = Database.open(session.settings.store_url)
    try:
        yield database
    finally:
        database.close()


def question_of(database: Database, kind: str, classes: tuple[str, ...] = ()) -> Question:
    """Return the question of a kind.

    Raises:
        InvalidInput: by the option's name.
    """
    from jobsentinel_workers.labelling.questions import question_for

    try:
        with database.connect() as connection:
            return question_for(connection, kind, classes)
    except InvalidInput as error:
        raise InvalidInput(f"--{error.field}", error.problem) from None


def person(session: Session, annotator: str | None) -> str:
    """Return who labels: the one named, or the actor of the settings, or the system's user."""
    from jobsentinel_workers.audit.log import os_user

    return annotator or session.settings.actor or os_user()
