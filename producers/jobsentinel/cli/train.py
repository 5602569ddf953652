"""`jobsentinel train`: a run in the training pool, followed to its end unless told otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import INPUT_FILE, Rows, all_rows
from jobsentinel.cli.output import json_option, print_facts, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import Bar, bar, wait_for
from jobsentinel.contract import limits
from jobsentinel.contract.base import FilledText, Message, dump
from jobsentinel.contract.results import TrainResult
from jobsentinel.contract.task_specs import TaskSpec
from jobsentinel.contract.training_requests import (
    FineTuneAdaptation,
    FineTuneCurriculum,
    FineTuneMethod,
    MultiTaskMethod,
    MultiTaskPooling,
)
from jobsentinel.contract.training_rows import ROW_OF, FineTuneTask, MultiTaskRow
from jobsentinel.handles import JobHandle
from jobsentinel.producer import Producer

F = TypeVar("F", bound=Callable[..., Any])


class _Text(Message):
    """A row of unlabelled text."""

    text: FilledText


def _limits(
    _: click.Context, option: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, Any] | None:
    """Return limits given as LIMIT=VALUE; a value that is no JSON is text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{pair!r} is not LIMIT=VALUE", param=option)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found or None


def _training_options(function: F) -> F:
    for option in (
        json_option,
        click.option("--no-wait", is_flag=True, help="Print the job's id and leave."),
        click.option("--no-promote", is_flag=True, help="Register the version, do not serve it."),
        click.option(
            "--gate",
            multiple=True,
            metavar="LIMIT=VALUE",
            callback=_limits,
            help="A limit of the gate that is to differ, such as min_rows=50.",
        ),
        click.option(
            "--dataset",
            metavar="REF",
            help="Instead of FILE: a dataset's SHA-256, labels:all or labels:new.",
        ),
        click.option("--seed", type=int, help="Repeats a run."),
        click.option("--learning-rate", type=float, help="Step size; the method has a default."),
        click.option("--batch-size", type=int, help="Rows a step."),
        click.option("--epochs", type=int, help="Passes over the rows."),
    ):
        function = option(function)
    return function


@click.group("train")
def command() -> None:
    """Train models on labelled rows; a new version serves if it passes the gate."""


@command.command("fine-tune")
@click.argument("name")
@click.argument("file", type=INPUT_FILE, required=False)
@click.option("--task", type=click.Choice(get_args(FineTuneTask)), required=True)
@click.option(
    "--method",
    type=click.Choice(get_args(FineTuneMethod)),
    help="What is trained: the head alone (default), the top two layers too, low-rank changes to "
    "all layers, or everything.",
)
@click.option(
    "--base",
    type=click.Choice(("encoder", "champion")),
    help="Start from the base encoder (default), or from the version in service.",
)
@click.option("--label-kind", help="Of stored labels, the kind to learn from; category by default.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    help="A label that rows may have; give all, and any other is refused.",
)
@click.option("--few-shot", is_flag=True, help="For a few rows of each class: learn from pairs.")
@click.option(
    "--adapt",
    type=click.Choice(get_args(FineTuneAdaptation)),
    help="How the encoder learns from unlabelled texts first.",
)
@click.option(
    "--unlabelled",
    "unlabelled_file",
    type=INPUT_FILE,
    help='Texts for --adapt: JSON Lines of {"text": ...}.',
)
@click.option(
    "--curriculum",
    type=click.Choice(get_args(FineTuneCurriculum)),
    help="What the first epoch is sorted by, easy rows first.",
)
@_training_options
@pass_session
def fine_tune(
    session: Session,
    /,
    *,
    name: str,
    file: Path | None,
    task: str,
    classes: tuple[str, ...],
    few_shot: bool,
    unlabelled_file: Path | None,
    **options: Any,
) -> int:
    """Train the model NAME on the rows in FILE (JSON Lines, - for stdin), or on a dataset.

    \b
    classification  {"text": ..., "label": "..."}
    regression      {"text": ..., "value": 1.5}
    similarity      {"text_a": ..., "text_b": ..., "score": 0..1}, all with a score or none
    reranker        {"query": ..., "text": ..., "score": 0..1}
    """
    rows = None if file is None else _rows(file, ROW_OF[task])
    if classes:
        options["classes"] = classes
    if few_shot:
        options["few_shot"] = True
    if unlabelled_file is not None:
        texts = all_rows(Rows(unlabelled_file, _Text.parse), "unlabelled", limits.MAX_TRAINING_ROWS)
        options["unlabelled"] = tuple(row.text for row in texts[0])
    return _run(
        session,
        lambda producer, given: producer.fine_tune(name, rows, task=task, **given),
        options,
    )


@command.command("multi-task")
@click.argument("file", type=INPUT_FILE, required=False)
@click.option(
    "--method",
    type=click.Choice(get_args(MultiTaskMethod)),
    help="What is trained: the heads alone (default), the encoder's top two layers too, low-rank "
    "changes to all layers, or everything.",
)
@click.option(
    "--tasks",
    "tasks_file",
    type=INPUT_FILE,
    help="Questions of your own: one a line, as JSON with name, type and, of classes, classes.",
)
@click.option(
    "--weighting",
    type=click.Choice(("equal", "uncertainty")),
    help="How the tasks' losses add up: alike (default), or by learnt weights.",
)
@click.option(
    "--pooling",
    type=click.Choice(get_args(MultiTaskPooling)),
    help="What the heads read of a text; another than now begins with new heads.",
)
@click.option("--no-compare", is_flag=True, help="Do not train each task by itself to compare.")
@_training_options
@pass_session
def multi_task(
    session: Session,
    /,
    file: Path | None,
    tasks_file: Path | None,
    no_compare: bool,
    **options: Any,
) -> int:
    """Train the scoring model on the rows in FILE, or on the labels stored so far.

    A row has a text and one or more of category, salary_year_usd, scam (true or false) and match
    (0 to 1); answers to questions of your own stand under labels, by the question's name.
    """
    rows = None if file is None else _rows(file, MultiTaskRow)
    if tasks_file is not None:
        options["tasks"] = _rows(tasks_file, TaskSpec)
    if no_compare:
        options["compare"] = False
    return _run(session, lambda producer, given: producer.train_multi_task(rows, **given), options)


@command.command("cancel")
@click.argument("job_id")
@json_option
@pass_session
def cancel(session: Session, job_id: str, as_json: bool) -> int:
    """Ask that a training job be dropped; it stops at its next step."""
    with session.producer() as producer:
        before = producer.handle(job_id, "fine_tune").cancel()
    if as_json:
        print_json({"job_id": job_id, "was": before})
    complain(f"job {job_id} was {before}")
    dropped = before in {"queued", "running", "cancelled", "outbox"}
    return ExitCode.DONE if dropped else ExitCode.FAILED


def _rows(file: Path, kind: type[Message]) -> tuple[Message, ...]:
    return all_rows(Rows(file, kind.parse), "rows", limits.MAX_TRAINING_ROWS)[0]


Send = Callable[[Producer, dict[str, Any]], JobHandle[TrainResult]]


def _run(session: Session, send: Send, options: dict[str, Any]) -> int:
    as_json, no_wait = options.pop("as_json"), options.pop("no_wait")
    given = {name: value for name, value in options.items() if value is not None}
    given["promote"] = not given.pop("no_promote")
    with session.producer() as producer:
        handle = send(producer, given)
        if no_wait:
            return _leave(handle, as_json)
        try:
            result = _follow(handle)
        except KeyboardInterrupt:
            complain(f"the run goes on: `jobsentinel runs show {handle.job_id}`")
            raise
    _print(result, as_json)
    return ExitCode.DONE


def _leave(handle: JobHandle[TrainResult], as_json: bool) -> int:
    if as_json:
        print_json({"job_id": handle.job_id, "state": handle.state()})
    else:
        click.echo(handle.job_id)
    complain(f"follow it with `jobsentinel runs show {handle.job_id}`")
    return ExitCode.DONE


def _follow(handle: JobHandle[TrainResult]) -> TrainResult:
    complain(f"job {handle.job_id}")
    with bar("waiting for a worker", None) as shown:
        return wait_for(handle, on_wait=lambda: _show_progress(handle, shown))


def _show_progress(handle: JobHandle[TrainResult], shown: Bar) -> None:
    report = handle.progress()
    if report is None:
        if handle.state() == "running":
            shown.show(0, None, "preparing")
        return
    loss = report.get("loss")
    text = "training" if loss is None else f"training, loss {loss:.4f}"
    shown.show(report.get("step", 0), report.get("total_steps"), text)


def _print(result: TrainResult, as_json: bool) -> None:
    if as_json:
        print_json(dump(result))
    else:
        print_facts(
            {
                "model": f"{result.model} version {result.version}",
                "in service": result.promoted,
                "run": result.run_id,
                "took": f"{result.seconds:.1f} s",
                **({} if result.report else result.metrics),
            }
        )
        if result.report:
            click.echo(f"\n{result.report}", nl=False)
    if not result.promoted:
        complain(
            f"put it into service: `jobsentinel models promote {result.model} {result.version}`"
        )
