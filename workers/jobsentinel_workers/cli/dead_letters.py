"""`jobsentinel dead-letters`: jobs that the fleet gave up, with their payload and their error."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, print_facts, print_json, printable
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.cli import letter_changes
from jobsentinel_workers.cli.letter_choice import filter_options
from jobsentinel_workers.cli.letter_report import print_letters
from jobsentinel_workers.cli.opening import reading
from jobsentinel_workers.cli.showing import limit_option

if TYPE_CHECKING:
    from jobsentinel_workers.store.dead_letters import DeadLetter


@click.group("dead-letters")
def command() -> None:
    """List, replay and drop jobs that were given up."""


@command.command("list")
@filter_options
@limit_option
@json_option
@pass_session
def list_letters(session: Session, /, *, limit: int, as_json: bool, **filters: Any) -> None:
    """List dead letters, newest first."""
    from jobsentinel_workers.store import dead_letters

    which = dead_letters.LetterFilter(**filters)
    with reading(session.settings) as connection:
        found = dead_letters.find(connection, which, limit=limit)
        total = dead_letters.count(connection, which)
    if as_json:
        for letter in found:
            print_json(_plain(letter))
    elif not found:
        complain("no dead letters")
    else:
        print_letters(found)
        if total > len(found):
            complain(f"{len(found):,} of {total:,} shown; --limit shows more")


@command.command("show")
@click.argument("job_id")
@json_option
@pass_session
def show(session: Session, job_id: str, as_json: bool) -> None:
    """Show a dead letter; --json prints its request too."""
    from jobsentinel_workers.store import dead_letters

    with reading(session.settings) as connection:
        letter = dead_letters.get(connection, job_id)
    if letter is None:
        raise InvalidInput("ID", f"there is no dead letter of the job {job_id!r} in the store")
    if as_json:
        print_json({**_plain(letter), **_request(letter.payload or b"")})
        return
    print_facts(
        {
            "job": letter.job_id,
            "task": letter.task,
            "queue": letter.queue,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "given up": letter.created_at,
            "payload": f"{letter.payload_bytes:,} bytes (--json prints it)",
            **letter.versions,
            "error": letter.error.strip(),
        }
    )
    if letter.traceback:
        click.echo(f"\n{printable(letter.traceback.strip())}")


command.add_command(letter_changes.replay)
command.add_command(letter_changes.drop)


def _plain(letter: DeadLetter) -> dict[str, Any]:
    fields = asdict(letter)
    del fields["payload"]
    return fields


def _request(payload: bytes) -> dict[str, Any]:
    """Return the request as JSON can hold it, or its bytes when it is not what it should be."""
    from jobsentinel.contract import wire

    try:
        opened = wire.unpack(payload)
    except InvalidInput:
        opened = None
    if isinstance(opened, dict) and isinstance(opened.get("request"), dict):
        return {"request": opened["request"]}
    return {"payload_base64": base64.b64encode(payload).decode("ascii")}
