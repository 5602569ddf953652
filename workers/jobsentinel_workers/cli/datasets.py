"""`jobsentinel datasets list`, `show` and `delete`: what is in the store to train on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import (
    json_option,
    plural,
    print_facts,
    print_json,
    print_table,
    shown,
)
from jobsentinel.cli.session import Session, pass_session
from jobsentinel_workers.cli.opening import reading, require_store
from jobsentinel_workers.cli.showing import limit_option, minute

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from jobsentinel_workers.store.datasets import Dataset

_DIGITS_SHOWN = 12
_CLASSES_SHOWN = 30


@click.group("datasets")
def command() -> None:
    """Look at stored datasets."""


@command.command("list")
@limit_option
@json_option
@pass_session
def list_stored(session: Session, limit: int, as_json: bool) -> None:
    """List datasets, newest first, with uploads that are not complete."""
    from jobsentinel_workers.store import datasets

    with reading(session.settings) as connection:
        found = datasets.newest(connection, sealed=None, limit=limit)
    if as_json:
        for each in found:
            print_json(asdict(each))
    elif found:
        print_table(
            ["dataset", "task", ">rows", "~name", "state", "since"],
            [
                [
                    each.sha256[:_DIGITS_SHOWN],
                    each.task,
                    each.total_rows,
                    each.name or _origin(each),
                    _state(each),
                    minute(each.created_at),
                ]
                for each in found
            ],
        )
    else:
        complain("no datasets; `jobsentinel datasets send` stores one")


@command.command("show")
@click.argument("sha256", metavar="SHA")
@json_option
@pass_session
def show(session: Session, sha256: str, as_json: bool) -> None:
    """Show what the dataset holds whose id begins with SHA, and check its rows against the id."""
    from jobsentinel_workers.datasets import resolve

    with reading(session.settings) as connection:
        found = resolve(connection, sha256)
        faults = _faults(connection, found)
    if as_json:
        print_json({**asdict(found), "faults": faults})
        return
    print_facts(
        {
            "dataset": found.sha256,
            "task": found.task,
            "name": found.name,
            "rows": found.total_rows,
            "state": _state(found),
            "from": _origin(found),
            "label number": found.last_label_seq,
            "created": found.created_at,
            "faults": faults or "none",
            **_summary_facts(found.summary),
        }
    )


@command.command("delete")
@click.argument("sha256", metavar="SHA")
@json_option
@pass_session
def delete_stored(session: Session, sha256: str, as_json: bool) -> None:
    """Delete the dataset whose id begins with SHA; models that learnt from it stay."""
    from jobsentinel_workers.datasets import delete, resolve
    from jobsentinel_workers.store import Database

    require_store(session.settings)
    database = Database.open(session.settings.store_url)
    try:
        with database.begin() as connection:
            found = resolve(connection, sha256)
            delete(connection, found.sha256)
    finally:
        database.close()
    if as_json:
        print_json({"sha256": found.sha256, "deleted": True})
    complain(f"deleted {found.sha256} with {plural(found.total_rows, 'row')}")


def _faults(connection: Connection, found: Dataset) -> str:
    from jobsentinel.contract.errors import InvalidInput
    from jobsentinel_workers.datasets import load

    try:
        load(connection, found.sha256)
    except InvalidInput as error:
        return str(error)
    return ""


def _state(found: Dataset) -> str:
    return "not complete" if found.sealed_at is None else "complete"


def _origin(found: Dataset) -> str:
    kinds = found.origin.get("labels")
    if not kinds:
        return ""
    since = found.origin.get("since")
    return f"labels: {', '.join(kinds)}" + ("" if since is None else f" since {since:,}")


def _summary_facts(summary: dict[str, Any]) -> dict[str, str]:
    """Return a summary's counts a line each, of many classes the most frequent."""
    facts: dict[str, str] = {}
    for name, value in summary.items():
        if not isinstance(value, dict):
            facts[name] = shown(value)
            continue
        facts[name] = shown(len(value))
        listed = list(value.items())[:_CLASSES_SHOWN]
        facts.update((f"  {each}", shown(count)) for each, count in listed)
        if len(value) > len(listed):
            facts["  others"] = shown(sum(value.values()) - sum(count for _, count in listed))
    return facts
