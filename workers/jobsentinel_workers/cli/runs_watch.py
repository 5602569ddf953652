"""`jobsentinel runs watch`: a run as it goes on, to its end.

A terminal gets a bar and the loss curve, redrawn in their place; anything else gets a line when
the state changes and at every twentieth of the run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.output import err, json_option, print_json
from jobsentinel.cli.session import Session, pass_session

if TYPE_CHECKING:
    from jobsentinel_workers.cli.runs_look import Look, Watcher

LOOK_S: Final = 0.5
SHARES: Final = 20
"""Of a run, each told in a line of its own where there is no terminal."""

Show = Callable[["Look"], None]


@click.command("watch")
@click.argument("run_id", required=False)
@json_option
@pass_session
def watch(session: Session, run_id: str | None, as_json: bool) -> int:
    """Follow a run to its end: RUN_ID, or the newest one that is not over.

    Ends with 1 if the run failed or was cancelled. Ctrl-C leaves; the run goes on.
    """
    from jobsentinel_workers.cli.runs_look import watcher

    with watcher(session.settings) as looking:
        chosen = run_id or looking.newest_active()
        if chosen is None:
            complain("no run is active; `jobsentinel runs list` shows earlier ones")
            return ExitCode.DONE
        try:
            last = _follow(looking, chosen, as_json)
        except KeyboardInterrupt:
            complain(f"the run goes on: `jobsentinel runs watch {chosen}`")
            raise
        _tell_end(last, looking.report(chosen), as_json)
    return ExitCode.DONE if last.state == "done" else ExitCode.FAILED


def _follow(looking: Watcher, run_id: str, as_json: bool) -> Look:
    look = looking.look(run_id)
    with _shown(as_json) as show:
        show(look)
        while not look.is_over:
            time.sleep(LOOK_S)
            look = looking.look(run_id)
            show(look)
    return look


@contextmanager
def _shown(as_json: bool) -> Iterator[Show]:
    if as_json:
        yield _JsonLines()
    elif err().is_terminal:
        with _terminal() as show:
            yield show
    else:
        yield _Lines()


@contextmanager
def _terminal() -> Iterator[Show]:
    from rich.live import Live

    from jobsentinel_workers.cli.runs_view import live

    console = err()
    with Live(console=console, auto_refresh=False, transient=True) as shown:
        yield lambda look: shown.update(live(look, console), refresh=True)


class _JsonLines:
    """Prints a look when it differs from the last one in more than its clock."""

    def __init__(self) -> None:
        self._last: dict[str, object] = {}

    def __call__(self, look: Look) -> None:
        fields = {name: value for name, value in look.as_dict().items() if name != "eta_s"}
        if fields != self._last:
            self._last = fields
            print_json(look.as_dict())


class _Lines:
    """Prints a line when the state changes, and at every share of the run."""

    def __init__(self) -> None:
        self._last: tuple[object, ...] = ()

    def __call__(self, look: Look) -> None:
        from jobsentinel_workers.cli.runs_view import line

        place = (look.state, look.phase, look.error, int((look.fraction or 0.0) * SHARES))
        if place != self._last and not look.is_over:
            self._last = place
            complain(f"{look.run_id}: {line(look)}")


def _tell_end(look: Look, report: str, as_json: bool) -> None:
    from rich.console import Console

    from jobsentinel_workers.cli.runs_view import line, plot

    if as_json:
        return
    for row in plot(look.curve, Console(file=sys.stdout)):
        click.echo(row)
    made = "" if look.version is None else f": {look.model} version {look.version}"
    click.echo(f"{look.run_id} {line(look)}{made}")
    if look.error:
        click.echo(look.error)
    if report:
        click.echo(f"\n{report}", nl=not report.endswith("\n"))
