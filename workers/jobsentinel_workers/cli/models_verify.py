"""`jobsentinel models verify`: every file against the SHA-256 in its manifest."""

from __future__ import annotations

import click

from jobsentinel.cli.exit_codes import ExitCode
from jobsentinel.cli.output import json_option, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel_workers.cli.models_versions import Version, report_broken
from jobsentinel_workers.models_in_service import open_registry


@click.command("verify")
@click.argument("name", required=False)
@click.argument("version", type=Version(), required=False)
@json_option
@pass_session
def verify(
    session: Session, name: str | None, version: int | str | None, as_json: bool
) -> ExitCode:
    """Check the files of all versions, of the model NAME, or of one VERSION of it.

    Ends with 1 and names the first file of a version that differs, is missing or is extra.
    """
    registry = open_registry(session.settings)
    names = registry.names() if name is None else [name]
    found = [each for one in names for each in registry.verify(one, version)]
    if as_json:
        for each in found:
            print_json({"name": each.name, "version": each.version, "problem": each.problem})
    else:
        print_table(
            ["model", ">version", "serves", "files"],
            [
                [each.name, str(each.version), ", ".join(each.aliases), _verdict(each.problem)]
                for each in found
            ],
        )
    return report_broken(found)


def _verdict(problem: str | None) -> str:
    return "as registered" if problem is None else "broken"
