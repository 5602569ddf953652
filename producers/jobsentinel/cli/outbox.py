"""`jobsentinel outbox`: jobs that wait on disk for a Redis that is away, or full."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from jobsentinel.backpressure import Gate, GrowingPause
from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import json_option, plural, print_facts, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.errors import QueueUnavailable
from jobsentinel.flushing import Flushed, Flusher, outbox_of

if TYPE_CHECKING:
    from jobsentinel.outbox import Outbox


@click.group("outbox")
def command() -> None:
    """Look at jobs that wait on disk, or send them."""


@command.command("status")
@json_option
@pass_session
def status(session: Session, as_json: bool) -> None:
    """Show how many jobs wait in the outbox, and how many are kept there until they are done."""
    settings = session.settings
    with closing(outbox_of(settings)) as outbox:
        held = outbox.contents()
    facts = {
        "file": str(outbox.path),
        "waiting": held.waiting,
        "oldest_s": held.oldest_s,
        "kept": held.kept,
        "bytes": held.size_bytes,
        "max_bytes": settings.outbox_max_bytes,
    }
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


@command.command("flush")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Go on trying for so long, while not all jobs can be sent.",
)
@json_option
@pass_session
def flush(session: Session, wait_s: float, as_json: bool) -> int:
    """Send the jobs that wait in the outbox, in their order, as far as the queues let them in."""
    with closing(outbox_of(session.settings)) as outbox:
        sent, flushed = 0, Flushed()
        if not outbox.is_empty():
            sent, flushed = _send(session, wait_s)
        held = outbox.contents()
        if as_json:
            print_json({"sent": sent, "waiting": held.waiting, "kept": held.kept})
        complain(f"{plural(sent, 'job')} sent")
        return _end(flushed, outbox) if held.waiting else ExitCode.DONE


def _send(session: Session, wait_s: float) -> tuple[int, Flushed]:
    try:
        with session.producer() as producer:
            ledger, settings = producer.ledger, session.settings
            with closing(Flusher(ledger, Gate(ledger, settings), settings)) as flusher:
                return _send_for(flusher, wait_s)
    except QueueUnavailable as error:
        return 0, Flushed(away=error)


def _send_for(flusher: Flusher, wait_s: float) -> tuple[int, Flushed]:
    until = time.monotonic() + wait_s
    pauses = GrowingPause(cap_s=1.0)
    sent = 0
    while True:
        flushed = flusher.look_after()
        sent += flushed.sent
        left_s = until - time.monotonic()
        if flushed.is_whole() or left_s <= 0:
            return sent, flushed
        time.sleep(min(left_s, flushed.rate_wait_s() or pauses.next_s()))


def _end(flushed: Flushed, outbox: Outbox) -> int:
    """Say why jobs are left, and return the exit code."""
    left = f"{plural(outbox.contents().waiting, 'job')} left in {outbox.path}"
    if flushed.away is not None:
        raise QueueUnavailable(f"{flushed.away}; {left}")
    if flushed.busy:
        complain(f"error: another process is sending; {left}")
    else:
        why = "the rate is used up" if flushed.rate_wait_s() is not None else "the queue is full"
        complain(f"error: {why}; {left}, and --wait SECONDS goes on trying")
    return ExitCode.FAILED
