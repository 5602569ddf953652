"""`jobsentinel dead-letters`: jobs that the fleet gave up, with their payload and their error."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, print_facts, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.cli.opening import reading
from jobsentinel_workers.cli.showing import last_line, limit_option, minute

if TYPE_CHECKING:
    from jobsentinel_workers.store.dead_letters import DeadLetter


@click.group("dead-letters")
def command() -> None:
    """Look at jobs that were given up."""


@command.command("list")
@click.option("--task", help="Only jobs of this task, such as score.")
@click.option("--reason", help="Only jobs given up for this reason, such as invalid.")
@limit_option
@json_option
@pass_session
def list_letters(
    session: Session, task: str | None, reason: str | None, limit: int, as_json: bool
) -> None:
    """List dead letters, newest first."""
    from jobsentinel_workers.store import dead_letters

    with reading(session.settings) as connection:
        found = dead_letters.find(connection, task=task, reason=reason, limit=limit)
    if as_json:
        for letter in found:
            print_json(_plain(letter))
    elif found:
        print_table(
            ["job", "reason", "when", "~~error"],
            [
                [
                    letter.job_id,
                    letter.reason,
                    minute(letter.created_at),
                    last_line(letter.error),
                ]
                for letter in found
            ],
        )
    else:
        complain("no dead letters")


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
