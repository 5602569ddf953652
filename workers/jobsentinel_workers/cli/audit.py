"""`jobsentinel audit`: who changed models and labels and who trained, and whether that is whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import json_option, print_facts, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.errors import ConfigurationError
from jobsentinel_workers.cli.letter_choice import Moment
from jobsentinel_workers.cli.opening import reading
from jobsentinel_workers.cli.showing import limit_option, minute

if TYPE_CHECKING:
    from jobsentinel_workers.audit import Entry, Verdict
    from jobsentinel_workers.audit.verification import Mark

_HASH_CHARS = 12


class NotedEntry(click.ParamType[Any]):
    """An entry's number and HMAC, as `audit verify` prints them."""

    name = "number:mac"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mark:
        """Return the number and the HMAC."""
        from jobsentinel_workers.audit.verification import Mark

        number, _, mac = str(value).partition(":")
        if not (number.isascii() and number.isdecimal() and len(number) < 19 and len(mac) == 64):
            self.fail(f"{value!r} is not what `audit verify` printed as its last entry", param, ctx)
        return Mark(int(number), mac)


@click.group("audit")
def command() -> None:
    """Look at the audit log, or check that nobody has altered it."""


@command.command("show")
@click.option(
    "--since", type=Moment(), help="Only entries since this time, or of the last 30m, 2h, 3d."
)
@limit_option
@json_option
@pass_session
def show(session: Session, since: datetime | None, limit: int, as_json: bool) -> int:
    """List entries, newest first; `audit verify` says whether the log is whole."""
    from jobsentinel_workers.audit.keys import find_key
    from jobsentinel_workers.audit.reading import read_entries
    from jobsentinel_workers.store.timestamps import utc_text

    with reading(session.settings) as connection:
        after = None if since is None else utc_text(since)
        found = list(read_entries(connection, since=after, limit=limit, newest_first=True))
    key = find_key(session.settings) if found else None
    altered = [each for each in found if key is not None and not each.fits(key)]
    _print_entries(found, as_json=as_json)
    if found and key is None:
        complain("the audit log's key is not here, so these entries are not checked")
    for each in altered:
        complain(f"entry {each.seq} is not what was written; see `jobsentinel audit verify`")
    return ExitCode.FAILED if altered else ExitCode.DONE


@command.command("verify")
@click.option(
    "--noted",
    type=NotedEntry(),
    help="An entry that must be there: what an earlier `audit verify` printed as the last.",
)
@json_option
@pass_session
def verify(session: Session, noted: Mark | None, as_json: bool) -> int:
    """Check the whole log; ends with 1 and names the first entry that is not as it was written."""
    verdict = _verdict(session, noted)
    problem = verdict.problem
    if as_json:
        print_json(
            {
                "whole": problem is None,
                "entries": verdict.entries,
                "last": verdict.last and str(verdict.last),
                "problem": problem and asdict(problem),
            }
        )
    elif problem is None:
        print_facts({"audit log": f"whole, {_counted(verdict.entries)}", "last": verdict.last})
    if problem is None:
        return ExitCode.DONE
    where = "the log's head" if problem.seq is None else f"entry {problem.seq}"
    complain(
        f"the audit log is not whole: {where} {problem.text} "
        f"({_counted(verdict.entries)} before it as written)"
    )
    return ExitCode.FAILED


def _verdict(session: Session, noted: Mark | None) -> Verdict:
    from sqlalchemy.exc import DatabaseError

    from jobsentinel_workers.audit import verification
    from jobsentinel_workers.audit.keys import find_key, key_file
    from jobsentinel_workers.audit.reading import newest_seq, read_head

    settings = session.settings
    key = find_key(settings)
    try:
        with reading(settings) as connection:
            if key is None and (newest_seq(connection) or read_head(connection)):
                raise ConfigurationError(
                    f"the audit log has entries and its key is not here: restore "
                    f"{key_file(settings)}, or set JOBSENTINEL_AUDIT_KEY"
                )
            return verification.verify(connection, key or b"", noted=noted)
    except DatabaseError as error:  # the file itself is damaged, beneath the entries
        raise ConfigurationError(f"the audit log cannot be read: {error.orig}") from error


def _print_entries(found: list[Entry], *, as_json: bool) -> None:
    if as_json:
        for each in found:
            print_json(_as_row(each))
    elif found:
        print_table(
            [">entry", "when", "~who", "event", "~subject", "~~details"],
            [
                [each.seq, minute(row["at"]), row["actor"], row["event"], row["subject"], text]
                for each in found
                for row in [_as_row(each)]
                for text in [_told(row["details"])]
            ],
        )
    else:
        complain("the audit log has no such entries")


def _as_row(entry: Entry) -> dict[str, Any]:
    """Return an entry for people and programs: what no encoding can hold is written as escapes."""
    from jobsentinel_workers.store.checks import storable_text

    row = {
        name: storable_text(value) if isinstance(value, str) else value
        for name, value in asdict(entry).items()
    }
    try:
        return {**row, "details": json.loads(entry.details)}
    except ValueError:  # altered: shown as it stands
        return row


def _told(details: Any) -> str:
    """Return details for a table; hashes are cut there, and whole in JSON."""
    if not isinstance(details, dict):
        return str(details)
    return ", ".join(
        f"{name} {_short(name, value)}" for name, value in details.items() if value is not None
    )


def _short(name: str, value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value[:_HASH_CHARS] if name.endswith("_sha256") else value


def _counted(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries:,} entries"
