"""`jobsentinel remove`: postings out of the store, by id or by age."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import INPUT_FILE, Rows
from jobsentinel.cli.output import json_option, plural, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option, wait_for
from jobsentinel.contract.base import kind_of
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.removals import MAX_IDS, RemovePostingsResult
from jobsentinel.handles import JobHandle
from jobsentinel.producer import Producer

_DAYS_OF: Final = {"d": 1, "w": 7}


class Age(click.ParamType[float]):
    """So many days or weeks, such as 30d or 4w."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the days."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d{1,5})([dw])", str(value))
        if found is None or found[1].strip("0") == "":
            self.fail(f"{value!r} must be days or weeks, such as 30d or 4w", param, ctx)
        return float(int(found[1]) * _DAYS_OF[found[2]])


@click.command("remove")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--file",
    type=INPUT_FILE,
    help="JSON Lines of ids, or of postings with an id (- for stdin).",
)
@click.option(
    "--posted-before",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Remove what was posted before this day, by its own word.",
)
@click.option(
    "--not-seen-for",
    type=Age(),
    metavar="AGE",
    help="Remove what has not been delivered for so long, such as 30d or 4w.",
)
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    /,
    ids: tuple[str, ...],
    *,
    file: Path | None,
    posted_before: datetime | None,
    not_seen_for: float | None,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Remove stored postings: those of the IDs, of a file, or those of an age.

    Their results and labels stay. A posting that is sent again is a new one.
    """
    ways: dict[str, object] = {"ID": ids, "--file": file, "--posted-before": posted_before}
    ways |= {"--not-seen-for": not_seen_for}
    given = [name for name, value in ways.items() if value not in (None, ())]
    if len(given) != 1:
        raise click.UsageError(
            f"give one of {', '.join(ways)} (has {' and '.join(given) or 'none'})"
        )
    removed = unknown = 0
    with session.producer() as producer:
        for handle in _sent(producer, ids, file, posted_before, not_seen_for):
            answer = wait_for(handle, timeout_s=timeout_s)
            removed += answer.removed
            unknown += answer.unknown
    if as_json:
        print_json({"removed": removed, "unknown": unknown})
    complain(f"{plural(removed, 'posting')} removed, {unknown:,} not there")
    return ExitCode.DONE


def _sent(
    producer: Producer,
    ids: tuple[str, ...],
    file: Path | None,
    posted_before: datetime | None,
    not_seen_for_days: float | None,
) -> Iterator[JobHandle[RemovePostingsResult]]:
    """Yield the handle of each job; the next one is sent when the one before was answered."""
    if posted_before is not None:
        yield producer.remove(posted_before=posted_before.date().isoformat())
    elif not_seen_for_days is not None:
        yield producer.remove(not_seen_for_days=not_seen_for_days)
    elif file is None:
        yield from map(producer.remove, _chunks(ids))
    else:
        rows = Rows(file, _id_in)
        rows.check()  # all of a file is read before anything is removed
        with rows:
            yield from map(producer.remove, _chunks(rows))
        rows.settle()


def _id_in(row: object) -> str:
    """Return the id that a line holds, which is one or is a posting with one."""
    found = row.get("id") if isinstance(row, Mapping) else row
    if not isinstance(found, str) or not found:
        raise InvalidInput(
            "id", f"must be text, or in an object that has one (is {kind_of(found)})"
        )
    return found


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(islice(rest, MAX_IDS)):
        yield chunk
