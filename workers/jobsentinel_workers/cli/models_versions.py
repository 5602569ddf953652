"""What the commands of `jobsentinel models` share: how a version is named, shown and announced."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import print_facts, print_json
from jobsentinel.cli.session import Session
from jobsentinel.cli.waiting import waiting_note
from jobsentinel_workers.cli.opening import announce_models

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


def announce(session: Session, registry: ModelRegistry) -> None:
    """Let producers know of a change, or say what it means that they cannot be told."""
    with waiting_note("telling the workers"):
        told = announce_models(session.settings, registry)
    if not told:
        complain(
            "Redis cannot be reached: until the workers start, a request that was answered before "
            "gets its old answer"
        )


def print_version(version: ModelVersion, as_json: bool) -> None:
    """Print all that is known of a version."""
    verdict = _stored_verdict(version)
    if as_json:
        print_json(version.as_dict() | {"gate": verdict})
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
            **dict(flat("metric ", version.metrics)),
            **dict(flat("from ", version.lineage)),
        }
    )
    if verdict is not None:
        from jobsentinel_workers.gate import Verdict

        click.echo(f"\n{Verdict.from_json(verdict).to_text()}", nl=False)


def _stored_verdict(version: ModelVersion) -> Any:
    """Return the gate's verdict as JSON values: to be read without loading the gate."""
    path = version.path / "gate.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def report_broken(versions: Iterable[ModelVersion]) -> ExitCode:
    """Name the versions whose files are not what was registered; return the exit code."""
    broken = [each for each in versions if each.problem]
    for each in broken:
        complain(f"broken: {each.name} version {each.version}: {each.problem}")
    return ExitCode.FAILED if broken else ExitCode.DONE


def flat(prefix: str, tree: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return the leaves of a tree with their dotted paths."""
    lines: list[tuple[str, object]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            lines += flat(f"{prefix}{name}.", value)
        else:
            lines.append((f"{prefix}{name}", value))
    return lines
