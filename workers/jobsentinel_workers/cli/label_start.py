"""`jobsentinel label start`: labelling in the terminal, a key an answer."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import err, json_option, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel_workers.cli.label_options import (
    choosing_options,
    class_option,
    kind_option,
    model_option,
    open_store,
    person,
    question_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobsentinel_workers.cli.label_keys import Keys
    from jobsentinel_workers.cli.label_screen import Screen
    from jobsentinel_workers.labelling.questions import Value
    from jobsentinel_workers.labelling.sitting import Sitting
    from jobsentinel_workers.labelling.tasks import LabellingTask


@click.command("start")
@kind_option
@click.option("--annotator", metavar="NAME", help="Who labels; by default you.")
@click.option(
    "--batch",
    type=click.IntRange(1, 1_000),
    default=20,
    show_default=True,
    help="Postings to label.",
)
@click.option("--blind", is_flag=True, help="Do not show what the model says.")
@choosing_options
@model_option
@class_option
@json_option
@pass_session
def start(
    session: Session,
    /,
    *,
    kind: str,
    annotator: str | None,
    batch: int,
    blind: bool,
    strategy: str,
    where: str | None,
    seed: int,
    model: str,
    classes: tuple[str, ...],
    as_json: bool,
) -> int:
    """Label stored postings, chosen by what the model's stored answers leave open.

    Each label is stored at once. What is left of a batch stays yours for an hour, and comes first
    when you start again.
    """
    from jobsentinel_workers.audit import AuditLog
    from jobsentinel_workers.cli.label_files import nothing_to_label
    from jobsentinel_workers.labelling.handing_out import Wanted, hand_out
    from jobsentinel_workers.labelling.sitting import Sitting

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("labelling needs a terminal; `label export` writes a file")
    with open_store(session) as database:
        question = question_of(database, kind, classes)
        wanted = Wanted(
            *(question, person(session, annotator), batch),
            strategy=strategy,
            model=model,
            where=where,
            seed=seed,
        )
        found = hand_out(database, wanted)
        if not found.tasks:
            complain(f"{kind} {nothing_to_label(found)}")
            return ExitCode.FAILED if found.left_out else ExitCode.DONE
        if found.resumed:
            complain(f"{found.resumed:,} postings are left from the last time")
        sitting = Sitting(
            *(database, AuditLog(session.settings), question, wanted.annotator, found)
        )
        with _told_at_the_end(session, sitting, as_json=as_json):
            _label(sitting, blind=blind)
    return ExitCode.DONE


@contextmanager
def _told_at_the_end(session: Session, sitting: Sitting, *, as_json: bool) -> Iterator[None]:
    """Tell what was labelled, however the work ends."""
    from jobsentinel_workers.cli.label_screen import summary

    try:
        yield
    finally:
        tally = sitting.tally()
        if as_json:
            counts = {"labelled": tally.labelled, "skipped": tally.skipped}
            print_json({**counts, "agreed": tally.agreed, "compared": tally.compared})
        complain(summary(tally))
        if tally.labelled:
            _tell_loop(session, sitting)


def _label(sitting: Sitting, *, blind: bool) -> None:
    from jobsentinel_workers.cli.label_keys import keys_of
    from jobsentinel_workers.cli.label_screen import Screen

    # On stderr, where all that is not an answer to a program goes.
    screen = Screen(err(), sitting, blind=blind)
    with keys_of(sys.stdin.fileno()) as keys:
        note = ""
        while (task := sitting.current) is not None:
            again = _one(task, screen, keys, note)
            if again is None:
                break
            note = again


def _one(task: LabellingTask, screen: Screen, keys: Keys, note: str) -> str | None:
    """Have one posting labelled; return a note for the next screen, or None to end."""
    from jobsentinel_workers.cli.label_answers import QUIT, SKIP, UNDO, Typing, keys_for
    from jobsentinel_workers.cli.label_keys import BACKSPACE, END, ENTER, MORE

    sitting = screen.sitting
    answers, typing = keys_for(sitting.question), Typing(sitting.question)
    screen.page = 0
    began = time.monotonic()
    while True:
        screen.show(task, typing, note)
        key, note = keys.next(), ""
        if key == END or (key == QUIT and not typing.shown):
            return None
        if key == MORE:
            screen.page += 1
        elif key == SKIP and not typing.shown:
            sitting.skip(task)
            return "skipped; others may be given it"
        elif key == UNDO and not typing.shown:
            if sitting.undo():
                return "taken back"
            note = "there is nothing to take back"
        elif key in answers:
            return _store(sitting, task, answers[key], began)
        elif answers:
            note = f"{key!r} is no key here"
        elif key == ENTER:
            if (value := typing.enter()) is not None:
                return _store(sitting, task, value, began)
        elif key == BACKSPACE:
            typing.back()
        else:
            typing.add(key)


def _store(sitting: Sitting, task: LabellingTask, value: Value, began: float) -> str:
    from jobsentinel.contract.limits import MAX_SECONDS_SPENT

    seconds = min(time.monotonic() - began, MAX_SECONDS_SPENT)
    sitting.answer(task, value, seconds=round(seconds, 3))
    return f"{sitting.question.told(value)} stored for {task.title or task.posting_id}"


def _tell_loop(session: Session, sitting: Sitting) -> None:
    """Say whether the loop of this kind trains, and let the fleet look."""
    from jobsentinel_workers.loop.checking import request_check
    from jobsentinel_workers.loop.report import Report
    from jobsentinel_workers.models_in_service import open_registry
    from jobsentinel_workers.store import loops

    with sitting.database.connect() as connection:
        loop = loops.get(connection, sitting.question.kind)
        if loop is None:
            return
        registry, every_s = open_registry(session.settings), session.settings.loop_check_s
        told = Report.of(connection, registry, loop, every_s).in_words()["next"]
    complain(f"loop of {loop.kind}: {told}")
    if request_check(session.settings):
        complain("a check was asked for, whether it pays to train")
