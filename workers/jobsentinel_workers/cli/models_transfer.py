"""`jobsentinel models export`, `import` and `pull`: versions from machine to machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from jobsentinel.cli.output import json_option, print_facts, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel_workers.cli.models_versions import Version, print_version
from jobsentinel_workers.models_in_service import open_registry

if TYPE_CHECKING:
    from jobsentinel_workers.registry import ModelVersion

F = TypeVar("F", bound=Any)

_MIB: Final = 1024**2


def _limits(command: F) -> F:
    command = click.option(
        "--max-mib",
        type=click.IntRange(min=1),
        default=4096,
        show_default=True,
        metavar="MIB",
        help="Refuse what is larger than so many MiB.",
    )(command)
    return click.option("--label", help="Its label here, instead of the one it had.")(command)


def _record(session: Session, taken: ModelVersion, source: str) -> None:
    from jobsentinel_workers.audit import recording

    with recording(session.settings) as record:
        record("model_registered", taken.name, {"version": taken.version, "source": source})


@click.command("export")
@click.argument("name")
@click.argument("version", type=Version())
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@pass_session
def export_model(
    session: Session, name: str, version: int | str, file: Path, as_json: bool
) -> None:
    """Write a version to FILE, a .tar.gz that `models import` takes.

    Its files are checked first. The same version always gives the same bytes.
    """
    from jobsentinel_workers.registry.manifest import hash_file
    from jobsentinel_workers.registry.transfer import export_version

    version_found = export_version(open_registry(session.settings), name, version, file)
    facts = {
        "model": name,
        "version": version_found.version,
        "file": str(file),
        "size_bytes": file.stat().st_size,
        "sha256": hash_file(file),
    }
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="The model's name here, instead of the one it had.")
@_limits
@json_option
@pass_session
def import_model(
    session: Session,
    *,
    file: Path,
    name: str | None,
    label: str | None,
    max_mib: int,
    as_json: bool,
) -> None:
    """Take the version in FILE in as a new one; it does not serve until it is promoted."""
    from jobsentinel_workers.registry.transfer import import_archive

    registry = open_registry(session.settings)
    taken = import_archive(registry, file, name=name, label=label, max_bytes=max_mib * _MIB)
    _record(session, taken, "import")
    print_version(taken, as_json)


@click.command("pull")
@click.argument("source")
@click.argument("name")
@click.argument("version", type=Version(), required=False)
@_limits
@json_option
@pass_session
def pull(
    session: Session,
    *,
    source: str,
    name: str,
    version: int | str | None,
    label: str | None,
    max_mib: int,
    as_json: bool,
) -> None:
    """Take a version in from another data folder, or from the address of an exported file.

    SOURCE is the folder, of which VERSION, or the champion, is taken; or an http or https address.
    It does not serve until it is promoted.
    """
    from jobsentinel_workers.registry.transfer import pull_version

    registry = open_registry(session.settings)
    taken = pull_version(registry, source, name, version, label=label, max_bytes=max_mib * _MIB)
    _record(session, taken, "pull")
    print_version(taken, as_json)
