"""`jobsentinel models`: versions in the registry, and which of them serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel_workers.cli.models_split import ab
from jobsentinel_workers.cli.models_transfer import export_model, import_model, pull
from jobsentinel_workers.cli.models_trial import try_out
from jobsentinel_workers.cli.models_verify import verify
from jobsentinel_workers.cli.models_versions import (
    Version,
    announce,
    flat,
    print_version,
    report_broken,
)
from jobsentinel_workers.cli.showing import minute
from jobsentinel_workers.models_in_service import open_registry


@click.group("models")
def command() -> None:
    """List, promote, roll back and compare models.

    A VERSION is a number, a label, or one of champion, previous and challenger. Version 0 comes
    with the package.
    """


command.add_command(ab)
command.add_command(verify)
command.add_command(export_model)
command.add_command(import_model)
command.add_command(pull)


@command.command("list")
@click.argument("name", required=False)
@json_option
@pass_session
def list_models(session: Session, name: str | None, as_json: bool) -> int:
    """List all versions, or those of the model NAME."""
    found = open_registry(session.settings).list(name)
    if as_json:
        for version in found:
            print_json(version.as_dict())
    elif found:
        print_table(
            ["model", ">version", "serves", "~kind", "~label", "made", "~main metric"],
            [
                [
                    each.name,
                    str(each.version),
                    ", ".join(each.aliases),
                    each.kind,
                    each.label,
                    minute(each.created_at.isoformat() if each.created_at else None),
                    _main_metric(each.metrics),
                ]
                for each in found
            ],
        )
    return report_broken(found)


@command.command("show")
@click.argument("name")
@click.argument("version", type=Version(), default="champion")
@json_option
@pass_session
def show(session: Session, name: str, version: int | str, as_json: bool) -> None:
    """Show a version, the champion by default, after checking its files."""
    print_version(open_registry(session.settings).get(name, version), as_json)


@command.command("promote")
@click.argument("name")
@click.argument("version", type=Version())
@json_option
@pass_session
def promote(session: Session, name: str, version: int | str, as_json: bool) -> None:
    """Put a version into service; workers notice within seconds.

    A version of the scoring model or the reranker is loaded first, as a worker would.
    """
    from jobsentinel_workers.audit import recording

    registry = open_registry(session.settings)
    try_out(session, registry.get(name, version))
    with recording(session.settings) as record:
        promoted = registry.promote(name, version)
        record("model_promoted", name, {"version": promoted.version})
    announce(session, registry)
    print_version(promoted, as_json)


@command.command("rollback")
@click.argument("name")
@json_option
@pass_session
def rollback(session: Session, name: str, as_json: bool) -> None:
    """Put the version back that served before; a second time undoes the first."""
    from jobsentinel_workers.audit import recording

    registry = open_registry(session.settings)
    with recording(session.settings) as record:
        restored = registry.rollback(name)
        record("model_rolled_back", name, {"version": restored.version})
    announce(session, registry)
    print_version(restored, as_json)


@command.command("compare")
@click.argument("name")
@click.argument("first", type=Version())
@click.argument("second", type=Version())
@json_option
@pass_session
def compare(
    session: Session, name: str, first: int | str, second: int | str, as_json: bool
) -> None:
    """Compare the metrics of two versions."""
    changes = open_registry(session.settings).compare(name, first, second)
    rows = [
        {"metric": path, "first": each.first, "second": each.second, "change": each.difference}
        for path, each in changes.items()
    ]
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        print_table(
            ["metric", f">{first}", f">{second}", ">change"], [list(row.values()) for row in rows]
        )
    else:
        complain("neither version has metrics")


def _main_metric(metrics: Mapping[str, Any]) -> str | None:
    numbers = [(name, v) for name, v in flat("", metrics) if isinstance(v, float)]
    return f"{numbers[0][0]} {numbers[0][1]:.3g}" if numbers else None
