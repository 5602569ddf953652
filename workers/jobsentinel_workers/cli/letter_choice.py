"""Which dead letters a command is about: some by id, or those that a filter describes, or all."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from jobsentinel.contract.errors import InvalidInput

if TYPE_CHECKING:
    from jobsentinel_workers.store import Database

F = TypeVar("F", bound=Callable[..., Any])

Page = Sequence[tuple[str, str | None]]
"""Ids of jobs, each with the time of the letter that is meant; None means any that it has."""

_SPAN: Final = re.compile(r"([0-9]{1,5})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType[datetime]):
    """A timestamp with its offset, or how long ago it was, such as ``2h``."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment in UTC."""
        if span := _SPAN.fullmatch(value):
            return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        expected = "a span such as 30m, 2h, 3d or 1w, or a time such as 2026-11-22T14:00:00Z"
        self.fail(f"{value!r} is not {expected}", param, ctx)


def filter_options(command: F) -> F:
    """Add the options that say which letters are meant."""
    for option in (
        click.option("--contains", metavar="TEXT", help="Only jobs whose error has this text."),
        click.option(
            "--since",
            type=Moment(),
            help="Only jobs given up since this time, or in the last 30m, 2h, 3d.",
        ),
        click.option("--reason", help="Only jobs given up for this reason, such as attempts."),
        click.option("--task", help="Only jobs of this task, such as score."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for: which letters, and how much of it to do."""

    job_ids: Sequence[str]
    everything: bool
    filters: Mapping[str, Any]
    limit: int | None
    dry_run: bool
    yes: bool

    def require(self) -> None:
        """Refuse what names no letters, or names them in two ways.

        Raises:
            UsageError: says what to give.
        """
        ways = [bool(self.job_ids), bool(self.filters), self.everything]
        if not any(ways):
            raise click.UsageError(
                "say which dead letters: their IDs, or --task, --reason, --since or --contains, "
                "or --all"
            )
        if sum(ways) > 1:
            raise click.UsageError("IDs, filters and --all exclude each other; give one of them")

    def find(self, database: Database) -> tuple[int, Iterator[Page]]:
        """Return how many letters are meant, and which.

        Raises:
            InvalidInput: a filter that is no text to look for.
        """
        if self.job_ids:
            ids = list(dict.fromkeys(self.job_ids))[: self.limit]
            return len(ids), iter([[(job_id, None) for job_id in ids]])

        from jobsentinel_workers.jobs.replaying import pages
        from jobsentinel_workers.store import dead_letters

        which = dead_letters.LetterFilter(**self.filters)
        with database.connect() as connection:
            newest = dead_letters.find(connection, which, limit=1)
            if not newest:
                return 0, iter(())
            # What is given up from now on was not meant; jobs sent again may be among it.
            which = replace(which, until=newest[0].created_at)
            count = dead_letters.count(connection, which)
        return min(count, self.limit or count), pages(database, which, limit=self.limit)

    def make_sure(self, what: str) -> None:
        """Ask a person whether to do ``what``, unless that was said before.

        Raises:
            Abort: the answer was no.
            InvalidInput: there is nobody to ask.
        """
        if self.yes or self.dry_run:
            return
        if not sys.stdin.isatty():
            raise InvalidInput("--yes", f"is needed to {what} where nobody can be asked")
        click.confirm(f"{what.capitalize()}?", abort=True, err=True, prompt_suffix=" ")


def choice_options(command: F) -> F:
    """Add ids, filters and what else makes up `Wanted`, which reaches the command as ``wanted``."""

    @wraps(command)
    def gathered(
        *args: Any,
        job_ids: tuple[str, ...],
        everything: bool,
        limit: int | None,
        dry_run: bool,
        yes: bool,
        **rest: Any,
    ) -> Any:
        given = {name: rest.pop(name) for name in ("task", "reason", "since", "contains")}
        filters = {name: value for name, value in given.items() if value is not None}
        wanted = Wanted(job_ids, everything, filters, limit, dry_run, yes)
        return command(*args, wanted=wanted, **rest)

    options: Any = gathered
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Change nothing; say what would be done."),
        click.option("--limit", type=click.IntRange(min=1), help="So many at most, oldest first."),
        click.option("--all", "everything", is_flag=True, help="All dead letters."),
        filter_options,
        click.argument("job_ids", nargs=-1, metavar="[ID]..."),
    ):
        options = option(options)
    return options  # type: ignore[no-any-return]  # click's decorators keep what they are given
