"""`jobsentinel loop`: circles of labelling and training, started, stopped, checked, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import json_option, print_facts, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option, wait_for
from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.cli.loop_options import OFF_OR_DAYS, OFF_OR_SHARE, options_given
from jobsentinel_workers.cli.opening import reading, require_store

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from jobsentinel_workers.store.loops import Loop


@click.group("loop")
def command() -> None:
    """Retrain by itself when new labels make it worth while."""


@command.command("start")
@click.argument("kind")
@click.option("--model", required=True, metavar="NAME", help="What learns the labels of KIND.")
@click.option("--min-labels", type=click.IntRange(min=1), help="New labels that suffice; 50.")
@click.option("--max-days", type=OFF_OR_DAYS, help="Then one new label suffices; 7, or none.")
@click.option(
    "--max-drop",
    type=OFF_OR_SHARE,
    help="By how much accuracy on random labels may fall; 0.05, or none.",
)
@click.option(
    "--max-drift",
    type=OFF_OR_SHARE,
    help="How far new postings may drift; 0.01, or none.",
)
@click.option("--alarm-labels", type=click.IntRange(min=1), help="New labels for an alarm; 10.")
@click.option(
    "--dataset",
    type=click.Choice(("auto", "labels:new", "labels:all")),
    help="What a training reads; auto takes new labels where they are enough.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    callback=options_given,
    help='A field of the training, such as epochs=3 or gate={"min_rows":20}.',
)
@json_option
@pass_session
def start(
    session: Session,
    /,
    *,
    kind: str,
    model: str,
    dataset: str | None,
    options: dict[str, Any],
    as_json: bool,
    **limits: Any,
) -> None:
    """Let the labels of KIND teach a model whenever it pays.

    A loop that is there goes on with these settings, and tries the labels of a training that
    failed again.
    """
    from jobsentinel_workers.active_learning import RetrainingTrigger
    from jobsentinel_workers.loop.checking import request_check
    from jobsentinel_workers.loop.trainings import check_training
    from jobsentinel_workers.store import loops

    limits["min_new_labels"] = limits.pop("min_labels")
    given = {name: value for name, value in limits.items() if value is not None}
    cleared = {name: None if value == "none" else value for name, value in given.items()}
    trigger = RetrainingTrigger.from_json(cleared)
    training = check_training(kind, model, {"dataset": dataset or "auto", "options": options})
    with _writing(session) as connection:
        loop = loops.start(
            connection, kind, model, trigger=trigger.to_json(), training=dump(training)
        )
    sent = request_check(session.settings)
    if as_json:
        print_json({"kind": kind, "model": model, "active": loop.active, "check_sent": sent})
        return
    click.echo(f"labels of {kind} teach {model} from now on")
    if not sent:
        complain("no check could be sent; the schedule of a running fleet brings one")


@command.command("stop")
@click.argument("kind")
@json_option
@pass_session
def stop(session: Session, kind: str, as_json: bool) -> None:
    """Start no more trainings for KIND; one that is under way goes on."""
    from jobsentinel_workers.store import loops

    with _writing(session) as connection:
        _require(loops.get(connection, kind), kind)
        stopped = loops.stop(connection, kind)
    if as_json:
        print_json({"kind": kind, "stopped": stopped})
        return
    click.echo(f"the loop of {kind} is stopped" if stopped else f"it was stopped already: {kind}")


@command.command("check")
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@timeout_option
@json_option
@pass_session
def check(session: Session, kinds: tuple[str, ...], timeout_s: float | None, as_json: bool) -> int:
    """Let the fleet look now whether a training is due, or over."""
    with session.producer() as producer:
        found = wait_for(producer.check_loops(kinds or None), timeout_s=timeout_s).loops
    if as_json:
        for checked in found:
            print_json(dump(checked))
    elif not found:
        complain("no loop is active; `jobsentinel loop start --help` shows how to start one")
    else:
        rows = [[one.kind, one.model, one.action, one.reason, one.run_id] for one in found]
        print_table(["kind", "model", "action", "~~reason", "run"], rows)
    blocked = any(checked.action == "blocked" for checked in found)
    return ExitCode.FAILED if blocked else ExitCode.DONE


@command.command("status")
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@json_option
@pass_session
def status(session: Session, kinds: tuple[str, ...], as_json: bool) -> None:
    """Tell in words where each loop stands, and what comes next."""
    from jobsentinel_workers.loop.report import Report
    from jobsentinel_workers.models_in_service import open_registry
    from jobsentinel_workers.store import loops

    registry = open_registry(session.settings)
    with reading(session.settings) as connection:
        asked = kinds or [loop.kind for loop in loops.find(connection)]
        found = [_require(loops.get(connection, kind), kind) for kind in asked]
        check_s = session.settings.loop_check_s
        reports = [Report.of(connection, registry, loop, check_s) for loop in found]
    if not reports:
        complain("there is no loop; `jobsentinel loop start --help` shows how to start one")
    for place, report in enumerate(reports):
        if as_json:
            print_json(report.to_json())
            continue
        if place:
            click.echo()
        print_facts(report.in_words())


@contextmanager
def _writing(session: Session) -> Iterator[Connection]:
    """Open the store for one change."""
    from jobsentinel_workers.store import Database

    require_store(session.settings)
    database = Database.open(session.settings.store_url)
    try:
        with database.begin() as connection:
            yield connection
    finally:
        database.close()


def _require(loop: Loop | None, kind: str) -> Loop:
    if loop is None:
        raise InvalidInput("KIND", f"is {kind!r}, for which there is no loop")
    return loop
