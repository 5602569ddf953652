"""`jobsentinel replay`: what a strategy would have saved, on labels that are there already.

It runs in this process with the encoder that is in service, so no worker need run. Beside the
reports it writes embeddings only, which it keeps in the data folder for the next replay.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, plural, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import bar
from jobsentinel.contract.errors import InvalidInput

if TYPE_CHECKING:
    from jobsentinel_workers.replay import Circle, Corpus, Replay

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_WHOLE = click.IntRange(1)


@click.command("replay")
@click.option("--labels", type=_FILE, metavar="FILE", help="JSON Lines or CSV of text and label.")
@click.option("--kind", help="Instead of a file: the stored labels of this kind, such as category.")
@click.option("--strategies", metavar="A,B,...", help="Beside random; all for classes by default.")
@click.option("--seeds", type=int, default=20, show_default=True, help="Repetitions of each.")
@click.option("--start", type=_WHOLE, default=20, show_default=True, help="Labels at first.")
@click.option("--batch", type=_WHOLE, default=20, show_default=True, help="Labels a training.")
@click.option("--budget", type=_WHOLE, default=500, show_default=True, help="Labels in the end.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.3,
    show_default=True,
    help="Of the rows, set apart to judge.",
)
@click.option("--positive", metavar="CLASS", help="Of two classes, the one that is yes.")
@click.option(
    "--base-rate",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="How often yes is right in life; adds measures at that rate.",
)
@click.option(
    "--model",
    default="multi-task",
    show_default=True,
    metavar="NAME",
    help="Whose encoder the heads read: the scoring model or one of yours.",
)
@click.option("--jobs", type=_WHOLE, default=1, show_default=True, help="Processes side by side.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="For report.html, plots, replay.json and the curves that are done.",
)
@json_option
@pass_session
def command(
    session: Session,
    /,
    *,
    labels: Path | None,
    kind: str | None,
    strategies: str | None,
    seeds: int,
    test_share: float,
    positive: str | None,
    base_rate: float | None,
    model: str,
    jobs: int,
    out: Path,
    as_json: bool,
    **sizes: int,
) -> None:
    """Simulate labelling on labelled data: learning curves, and what each strategy saves.

    Labels are hidden and asked for batch by batch. Ctrl-C keeps the curves that are done; the same
    command goes on with the others.
    """
    if (labels is None) == (kind is None):
        raise click.UsageError("give either --labels or --kind")
    from jobsentinel_workers.cli.replayed_texts import gather, labelled_texts
    from jobsentinel_workers.replay import CLASS_STRATEGIES, Circle
    from jobsentinel_workers.replay.circle import check_strategies

    circle = Circle(**sizes, test_share=test_share)
    names = check_strategies(tuple(_names(strategies) or CLASS_STRATEGIES))
    texts = labelled_texts(session.settings, labels, kind, positive)
    texts.task(base_rate)
    _make(out)
    corpus = gather(session.settings, texts, model, base_rate)
    name = labels.name if labels is not None else f"stored labels: {kind}"
    found = _replayed(
        name,
        corpus,
        out,
        circle=circle,
        strategies=names,
        seeds=seeds,
        jobs=jobs,
        notes=texts.notes,
    )
    _tell(found, out, as_json=as_json)


def _names(strategies: str | None) -> list[str]:
    if strategies is None:
        return []
    names = [name.strip() for name in strategies.split(",")]
    if "" in names:
        raise InvalidInput("strategies", f"must be names with commas between, not {strategies!r}")
    return names


def _replayed(
    name: str,
    corpus: Corpus,
    out: Path,
    *,
    circle: Circle,
    strategies: tuple[str, ...],
    seeds: int,
    **more: Any,
) -> Replay:
    from jobsentinel_workers.replay.replaying import Plan, replay

    plan = Plan(corpus, circle, strategies, seeds)
    kept, total = plan.kept(out), plan.total
    done = plan.done(kept)
    if done:
        complain(f"{done:,} of {plural(total, 'curve')} are there already, in {kept.file}")
    try:
        with bar("replaying", total) as shown:
            shown.advance(done)
            return replay(
                name,
                plan,
                kept,
                on_curve=lambda curve: shown.advance(),
                **more,
            )
    except KeyboardInterrupt:
        # Read anew: the last one may be in the file and not be counted yet.
        done = plan.done(plan.kept(out))
        complain(f"{done:,} of {plural(total, 'curve')} are kept in {kept.file}")
        complain("the same command goes on with the others")
        raise


def _tell(found: Replay, out: Path, *, as_json: bool) -> None:
    from jobsentinel_workers.replay.report import write_report
    from jobsentinel_workers.replay.table import to_table

    try:
        page = write_report(found, out)
    except OSError as error:
        raise InvalidInput("out", f"{out}: {error.strerror}") from None
    if as_json:
        report = found.to_json()
        del report["curves"]
        print_json(report)
    else:
        click.echo(to_table(found), nl=False)
    complain(f"report: {page}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("out", f"{folder}: {error.strerror}") from None
