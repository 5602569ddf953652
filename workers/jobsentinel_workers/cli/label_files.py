"""`jobsentinel label export` and `import`: files for other labelling tools, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import INPUT_FILE, MAX_FAULTS_LISTED
from jobsentinel.cli.output import json_option, plural, print_json, printable
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.cli.label_options import (
    choosing_options,
    class_option,
    kind_option,
    model_option,
    open_store,
    question_of,
)

if TYPE_CHECKING:
    from jobsentinel_workers.labelling.files import Format
    from jobsentinel_workers.labelling.handing_out import HandedOut, Wanted
    from jobsentinel_workers.labelling.questions import Question
    from jobsentinel_workers.labelling.read_labels import Expected, Reading
    from jobsentinel_workers.labelling.tasks import LabellingTask
    from jobsentinel_workers.store import Database

_FORMATS = ("label-studio", "prodigy", "csv")
_DAY_S = 86_400.0

format_option = click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    help="By default what the file's name says: .json, .jsonl or .csv.",
)


@click.command("export")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT")
@format_option
@kind_option
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="Postings to label.",
)
@click.option(
    "--annotator", metavar="NAME", help="For whom they are reserved; by default the tool."
)
@click.option(
    "--reserve-days",
    type=click.FloatRange(0, 90, min_open=True),
    default=7.0,
    show_default=True,
    help="How long nobody else is given them.",
)
@click.option(
    "--labelled", is_flag=True, help="Instead: all labels that are stored, to move or check them."
)
@choosing_options
@model_option
@class_option
@json_option
@pass_session
def export(
    session: Session,
    /,
    *,
    out: Path,
    format_name: Format | None,
    kind: str,
    count: int,
    annotator: str | None,
    reserve_days: float,
    labelled: bool,
    strategy: str,
    where: str | None,
    seed: int,
    model: str,
    classes: tuple[str, ...],
    as_json: bool,
) -> int:
    """Choose stored postings to label, reserve them, and write them to OUT for a tool.

    For Label Studio the labelling configuration is written beside OUT. What is reserved, by an
    earlier export too, is not chosen again until that runs out.
    """
    from jobsentinel_workers.labelling.files import format_of
    from jobsentinel_workers.labelling.handing_out import Wanted

    written_as = format_name or format_of(out)
    _require_folder(out)
    with open_store(session) as database:
        question = question_of(database, kind, classes)
        if labelled:
            return _export_labelled(database, question, model, out, written_as, as_json=as_json)
        wanted = Wanted(
            question,
            annotator or written_as,
            count,
            strategy=strategy,
            model=model,
            where=where,
            seed=seed,
            reserve_for_s=reserve_days * _DAY_S,
            resume=False,
        )
        return _export_chosen(database, wanted, out, written_as, as_json)


def _export_chosen(
    database: Database, wanted: Wanted, out: Path, written_as: Format, as_json: bool
) -> int:
    from jobsentinel_workers.labelling.handing_out import hand_out

    found = hand_out(database, wanted)
    if not found.tasks:
        raise InvalidInput("--kind", nothing_to_label(found))
    _write(out, written_as, found.tasks, wanted.question, as_json)
    until = min(each.reserved_until for each in found.held.values())
    complain(
        f"{plural(len(found.tasks), 'posting')} by {wanted.strategy}, reserved for "
        f"{wanted.annotator} until {until[:10]}; `jobsentinel label import` brings the labels back"
    )
    return ExitCode.DONE


def nothing_to_label(found: HandedOut) -> str:
    """Say why there is nothing to label."""
    if not found.left_out:
        return "has nothing left to label: every stored posting is labelled or reserved"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.items())
    return f"has nothing to choose from ({reasons}); `jobsentinel score` stores what is missing"


def _export_labelled(
    database: Database,
    question: Question,
    model: str,
    out: Path,
    written_as: Format,
    *,
    as_json: bool,
) -> int:
    from jobsentinel_workers.labelling.stored_answers import labelled_tasks

    with database.connect() as connection:
        tasks, without_posting = labelled_tasks(connection, question, model)
    if not tasks:
        raise InvalidInput("--kind", f"{question.kind!r} has no labels whose posting is stored")
    _write(out, written_as, tasks, question, as_json)
    complain(f"{plural(sum(len(task.answers) for task in tasks), 'label')} written")
    if without_posting:
        complain(f"left out: {plural(without_posting, 'label')} whose posting is not stored")
    return ExitCode.PARTLY_DONE if without_posting else ExitCode.DONE


def _write(
    out: Path, written_as: Format, tasks: list[LabellingTask], question: Question, as_json: bool
) -> None:
    from jobsentinel_workers.labelling.files import write_file

    files = [str(path) for path in write_file(out, written_as, tasks, question)]
    if as_json:
        print_json({"files": files, "tasks": len(tasks), "kind": question.kind})
    else:
        for file in files:
            click.echo(file)


def _require_folder(out: Path) -> None:
    # Before anything is reserved: a reservation without a file would keep postings from others.
    if not out.absolute().parent.is_dir():
        raise InvalidInput("OUT", f"there is no folder {out.absolute().parent}")


@click.command("import")
@click.argument("file", type=INPUT_FILE)
@format_option
@click.option("--kind", metavar="KIND", help="Only labels of this kind, and of rows without one.")
@click.option("--by", "annotator", metavar="NAME", help="Who labelled, where FILE does not say.")
@class_option
@json_option
@pass_session
def import_(
    session: Session,
    /,
    *,
    file: Path,
    format_name: Format | None,
    kind: str | None,
    annotator: str | None,
    classes: tuple[str, ...],
    as_json: bool,
) -> int:
    """Store the labels in FILE, as Label Studio, Prodigy or a spreadsheet gave it.

    What is wrong in it is listed on stderr by line or task and left out; the rest goes in, all at
    once (exit 3). The same file again adds nothing twice.
    """
    from jobsentinel_workers.audit import AuditLog
    from jobsentinel_workers.labelling.files import format_of, read_file
    from jobsentinel_workers.labelling.storing import store_reading

    if classes and kind is None:
        raise InvalidInput("--class", "belongs to a kind of your own; name it with --kind")
    read_as = format_name or format_of(file)
    with open_store(session) as database:
        only = None if kind is None else question_of(database, kind, classes)
        expected = _expected(database, only, annotator, file)
        with _opened(file) as (stream, name):
            reading = read_file(stream, read_as, name, expected)
        found = store_reading(database, AuditLog(session.settings), reading)
    _tell(reading, as_json, stored=found.stored, unchanged=found.unchanged)
    if found.stored:
        _ask_for_check(session)
    return ExitCode.PARTLY_DONE if reading.faults else ExitCode.DONE


def _expected(
    database: Database, only: Question | None, annotator: str | None, file: Path
) -> Expected:
    from functools import cache

    from jobsentinel_workers.labelling.read_labels import Expected
    from jobsentinel_workers.store.timestamps import utc_text

    find: Callable[[str], Question] = cache(lambda kind: question_of(database, kind))
    # Labels without a time are as old as their file, so that reading it again repeats them.
    made_at = datetime.now(UTC)
    if file.is_file():
        made_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return Expected(find, only, annotator, utc_text(made_at))


@contextmanager
def _opened(file: Path) -> Iterator[tuple[IO[bytes], str]]:
    if str(file) == "-":
        yield sys.stdin.buffer, "stdin"
        return
    with file.open("rb") as stream:
        yield stream, file.name


def _tell(reading: Reading, as_json: bool, *, stored: int, unchanged: int) -> None:
    for fault in reading.faults[:MAX_FAULTS_LISTED]:
        complain(f"skipped: {printable(fault)}")
    if len(reading.faults) > MAX_FAULTS_LISTED:
        complain(f"skipped: {len(reading.faults) - MAX_FAULTS_LISTED:,} more")
    if as_json:
        counts = {"stored": stored, "unchanged": unchanged, "skipped": len(reading.faults)}
        print_json({**counts, "without_label": dict(reading.unanswered)})
    complain(f"{plural(stored, 'label')} new or changed, {unchanged:,} there already")
    if reading.unanswered:
        told = ", ".join(f"{count:,} {why}" for why, count in reading.unanswered.items())
        complain(f"without a label: {told}")


def _ask_for_check(session: Session) -> None:
    from jobsentinel_workers.loop.checking import request_check

    if request_check(session.settings):
        complain("a check was asked for, whether it pays to train")
