"""`jobsentinel models`: versions in the registry, and which of them serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import json_option, print_facts, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import waiting_note
from jobsentinel_workers.cli.opening import announce_models
from jobsentinel_workers.cli.showing import minute
from jobsentinel_workers.models_in_service import open_registry

if TYPE_CHECKING:
    from jobsentinel_workers.registry import ModelRegistry, ModelVersion


class Version(click.ParamType[int | str]):
    """A version's number, its label, or an alias such as ``champion``."""

    name = "version"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return digits as a number."""
        return int(value) if str(value).isdecimal() else str(value)


@click.group("models")
def command() -> None:
    """List, promote, roll back and compare models.

    A VERSION is a number, a label, or one of champion and previous. Version 0 comes with the
    package.
    """


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
    broken = [each for each in found if each.problem]
    for each in broken:
        complain(f"broken: {each.name} version {each.version}: {each.problem}")
    return ExitCode.FAILED if broken else ExitCode.DONE


@command.command("show")
@click.argument("name")
@click.argument("version", type=Version(), default="champion")
@json_option
@pass_session
def show(session: Session, name: str, version: int | str, as_json: bool) -> None:
    """Show a version, the champion by default, after checking its files."""
    _print_version(open_registry(session.settings).get(name, version), as_json)


@command.command("promote")
@click.argument("name")
@click.argument("version", type=Version())
@json_option
@pass_session
def promote(session: Session, name: str, version: int | str, as_json: bool) -> None:
    """Put a version into service; workers notice within seconds."""
    registry = open_registry(session.settings)
    promoted = registry.promote(name, version)
    _announce(session, registry)
    _print_version(promoted, as_json)


@command.command("rollback")
@click.argument("name")
@json_option
@pass_session
def rollback(session: Session, name: str, as_json: bool) -> None:
    """Put the version back that served before; a second time undoes the first."""
    registry = open_registry(session.settings)
    restored = registry.rollback(name)
    _announce(session, registry)
    _print_version(restored, as_json)


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


def _announce(session: Session, registry: ModelRegistry) -> None:
    with waiting_note("telling the workers"):
        told = announce_models(session.settings, registry)
    if not told:
        complain(
            "Redis cannot be reached: until the workers start, a request that was answered before "
            "gets its old answer"
        )


def _print_version(version: ModelVersion, as_json: bool) -> None:
    if as_json:
        print_json(version.as_dict())
        return
    print_facts(
        {
            "model": f"{version.name} version {version.version}",
            "serves as": ", ".join(version.aliases),
            "kind": version.kind,
            "label": version.label,
            "made": version.created_at and version.created_at.isoformat(timespec="seconds"),
            "run": version.run_id,
            "folder": str(version.path),
            **dict(_flat("metric ", version.metrics)),
            **dict(_flat("from ", version.lineage)),
        }
    )


def _flat(prefix: str, tree: Mapping[str, Any]) -> list[tuple[str, object]]:
    lines: list[tuple[str, object]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            lines += _flat(f"{prefix}{name}.", value)
        else:
            lines.append((f"{prefix}{name}", value))
    return lines


def _main_metric(metrics: Mapping[str, Any]) -> str | None:
    numbers = [(name, v) for name, v in _flat("", metrics) if isinstance(v, float)]
    return f"{numbers[0][0]} {numbers[0][1]:.3g}" if numbers else None
