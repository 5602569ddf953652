"""`jobsentinel dead-letters replay` and `drop`: what to do with jobs that were given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, plural
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import bar
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.tasks import QUEUES
from jobsentinel_workers.cli.letter_choice import Page, Wanted, choice_options
from jobsentinel_workers.cli.letter_report import Outcome, Report
from jobsentinel_workers.cli.opening import require_store

if TYPE_CHECKING:
    from jobsentinel.ledger import Ledger
    from jobsentinel.settings import Settings
    from jobsentinel_workers.store import Database
    from jobsentinel_workers.store.dead_letters import DeadLetter


Work = Callable[[Page], Iterable[Outcome]]


@click.command("replay")
@choice_options
@click.option("--queue", type=click.Choice(QUEUES), help="Send to this queue of the same pool.")
@json_option
@pass_session
def replay(session: Session, /, *, wanted: Wanted, queue: str | None, as_json: bool) -> int:
    """Send jobs that were given up again, and forget their letters.

    A job keeps its id; its attempts are counted anew, and a deadline it had is gone. One that
    cannot be sent is refused with the reason, and the others go on (exit 3).
    """
    from jobsentinel_workers.jobs.replaying import route

    wanted.require()
    unneeded = "queued, running or done already"
    report = Report("replayed", unneeded, as_json=as_json, dry_run=wanted.dry_run)
    with ExitStack() as stack:
        database = stack.enter_context(_store(session.settings))
        if wanted.dry_run:
            work = _rehearsing(database, lambda letter: route(letter, queue=queue))
        else:
            work = _replaying(database, stack.enter_context(session.producer()).ledger, queue)
        _work_through(database, wanted, "replay", work, report)
    return report.code


@click.command("drop")
@choice_options
@json_option
@pass_session
def drop(session: Session, /, *, wanted: Wanted, as_json: bool) -> int:
    """Delete dead letters, with the requests in them, for good."""
    wanted.require()
    unneeded = "gone or replaced meanwhile"
    report = Report("dropped", unneeded, as_json=as_json, dry_run=wanted.dry_run)
    with _store(session.settings) as database:
        work = _rehearsing(database, lambda _: None) if wanted.dry_run else _dropping(database)
        _work_through(database, wanted, "drop", work, report)
    return report.code


@contextmanager
def _store(settings: Settings) -> Iterator[Database]:
    from jobsentinel_workers.store import Database

    require_store(settings)
    database = Database.open(settings.store_url)
    try:
        yield database
    finally:
        database.close()


def _work_through(
    database: Database, wanted: Wanted, verb: str, work: Work, report: Report
) -> None:
    count, pages = wanted.find(database)
    if not count:
        complain("no dead letters match")
        return
    if count > 1 or verb == "drop":
        wanted.make_sure(f"{verb} {plural(count, 'dead letter')}")
    with report, bar("dead letters", count, as_json=report.as_json) as shown:
        for page in pages:
            for outcome in work(page):
                report.note(outcome)
                shown.advance()


def _replaying(database: Database, ledger: Ledger, queue: str | None) -> Work:
    from jobsentinel_workers.jobs.replaying import LEFT_ALONE, replay

    def work(page: Page) -> Iterator[Outcome]:
        for job_id, _ in page:
            try:
                was = replay(database, ledger, job_id, queue=queue)
            except InvalidInput as error:
                yield Outcome(job_id, "refused", str(error))
            else:
                yield Outcome(job_id, "unneeded" if was in LEFT_ALONE else "done", was)

    return work


def _dropping(database: Database) -> Work:
    from jobsentinel_workers.store import dead_letters

    def work(page: Page) -> list[Outcome]:
        with database.begin() as connection:
            gone = [dead_letters.delete(connection, i, created_at=moment) for i, moment in page]
        return [_dropped(*key, is_gone) for key, is_gone in zip(page, gone, strict=True)]

    return work


def _dropped(job_id: str, moment: str | None, is_gone: bool) -> Outcome:
    if is_gone:
        return Outcome(job_id, "done")
    if moment is None:
        return Outcome(job_id, "refused", "dead letter: there is none")
    return Outcome(job_id, "unneeded", "changed")


def _rehearsing(database: Database, check: Callable[[DeadLetter], object]) -> Work:
    """Only look: this is what a dry run does."""
    from jobsentinel_workers.jobs.replaying import read

    def work(page: Page) -> Iterator[Outcome]:
        for job_id, _ in page:
            try:
                letter = read(database, job_id)
                check(letter)
            except InvalidInput as error:
                yield Outcome(job_id, "refused", str(error))
            else:
                yield Outcome(job_id, "done", letter=replace(letter, payload=None))

    return work
