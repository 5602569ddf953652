"""`jobsentinel doctor`: one line for each thing a fleet needs, with what to do about it."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import click
from rich.table import Table
from rich.text import Text

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import json_option, print_json, print_whole
from jobsentinel.cli.session import Session, pass_session
from jobsentinel_workers.cli.finding import Finding

_STYLES = {"ok": "green", "warn": "yellow", "FAIL": "bold red"}


@click.command("doctor")
@json_option
@pass_session
def command(session: Session, as_json: bool) -> int:
    """Check this installation: every line is ok, warn or FAIL, and says what to do (exit 1)."""
    from jobsentinel_workers.cli.checkup import findings
    from jobsentinel_workers.cli.ranking_checkup import ranking_findings

    levels: Counter[str] = Counter()
    for finding in chain(findings(session), ranking_findings(session)):
        levels[finding.level] += 1
        if as_json:
            print_json(finding.as_dict())
        else:
            _print(finding)
    complain(f"{levels['ok']} ok, {levels['warn']} warn, {levels['FAIL']} FAIL")
    return ExitCode.FAILED if levels["FAIL"] else ExitCode.DONE


def _print(finding: Finding) -> None:
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=4)
    line.add_column(width=20)
    line.add_column(overflow="fold")
    found = Text(finding.found)
    if finding.advice:
        found.append(f"\n-> {finding.advice}", style=_STYLES[finding.level])
    line.add_row(Text(finding.level, style=_STYLES[finding.level]), Text(finding.name), found)
    print_whole(line)
