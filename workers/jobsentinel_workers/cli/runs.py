"""`jobsentinel runs`: training runs, where each stands and what it learned."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, print_facts, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.cli.opening import reading
from jobsentinel_workers.cli.runs_view import plot, steps
from jobsentinel_workers.cli.runs_watch import watch
from jobsentinel_workers.cli.showing import limit_option, minute

if TYPE_CHECKING:
    from jobsentinel_workers.store.runs import Run

STATES = ("queued", "running", "checkpointing", "done", "failed", "cancelled")


@click.group("runs")
def command() -> None:
    """Look at training runs."""


command.add_command(watch)


@command.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only runs in this state.")
@limit_option
@json_option
@pass_session
def list_runs(session: Session, state: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from jobsentinel_workers.store import runs

    with reading(session.settings) as connection:
        found = runs.find(connection, state=state, limit=limit)  # type: ignore[arg-type]  # click lets these states through only
    if as_json:
        for run in found:
            print_json(asdict(run))
        return
    if not found:
        complain("no runs; `jobsentinel train --help` shows how to start one")
        return
    print_table(
        ["run", "state", ">step", "~model", "since"],
        [
            [
                run.run_id,
                run.state,
                steps(run.step, run.total_steps),
                _model(run),
                minute(run.created_at),
            ]
            for run in found
        ],
    )


@command.command("show")
@click.argument("run_id")
@json_option
@pass_session
def show(session: Session, run_id: str, as_json: bool) -> None:
    """Show a run with its settings, its metrics and its loss curve."""
    from jobsentinel_workers.store import run_losses, runs

    with reading(session.settings) as connection:
        run = runs.get(connection, run_id)
        curve = run_losses.curve(connection, run_id)
    if run is None:
        raise InvalidInput("ID", f"there is no run {run_id!r} in the store (yet)")
    if as_json:
        print_json({**asdict(run), "curve": [point._asdict() for point in curve]})
        return
    print_facts(
        {
            "run": run.run_id,
            "task": run.task,
            "state": run.state,
            "error": run.error,
            "step": steps(run.step, run.total_steps),
            "loss": run.loss,
            "model": _model(run),
            "created": run.created_at,
            "started": run.started_at,
            "finished": run.finished_at,
            **{f"config {name}": value for name, value in run.config.items()},
            **{f"metric {name}": value for name, value in run.metrics.items()},
        }
    )
    drawn = plot(curve, Console(file=sys.stdout))
    if drawn:
        click.echo("\n" + "\n".join(drawn))


def _model(run: Run) -> str | None:
    return None if run.model_name is None else f"{run.model_name} {run.model_version}"
