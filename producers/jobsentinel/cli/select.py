"""`jobsentinel select`: which samples are most worth a person's label, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.json_lines import INPUT_FILE, Rows, all_rows, skip_invalid_option
from jobsentinel.cli.output import json_option, plural, print_json, print_table
from jobsentinel.cli.postings_input import first_line, sample
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option, wait_for, waiting_note
from jobsentinel.contract import limits
from jobsentinel.contract.base import dump
from jobsentinel.contract.postings import LabelledSample
from jobsentinel.contract.query_strategies import (
    BUILT_IN,
    installed_strategies,
    is_strategy,
    strategy_names,
)
from jobsentinel.contract.requests import SelectTask


def _list_strategies(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print every strategy with what it looks at, or the package that adds it, and end."""
    if not wanted or context.resilient_parsing:
        return
    added = {
        name: f"added by {entry.dist.name if entry.dist else entry.module}"
        for name, entry in installed_strategies().items()
    }
    print_table(["strategy", "~~looks for"], [[*pair] for pair in {**BUILT_IN, **added}.items()])
    context.exit()


class StrategyName(click.ParamType[str]):
    """The name of a strategy that is built in or that an installed package adds."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return ``value``, or refuse it and name the strategies there are."""
        if not is_strategy(value):
            self.fail(f"{value!r} is none of {', '.join(strategy_names())}", param, ctx)
        return str(value)


@click.command("select")
@click.argument("file", type=INPUT_FILE)
@click.option(
    "--strategy",
    type=StrategyName(),
    default="margin",
    show_default=True,
    metavar="NAME",
    help="How samples are judged; --strategies lists them.",
)
@click.option(
    "--strategies",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_strategies,
    help="List the strategies and end.",
)
@click.option(
    "--num",
    type=click.IntRange(1, limits.MAX_SAMPLES),
    default=10,
    show_default=True,
    help="How many to choose.",
)
@click.option(
    "--model", default="multi-task", show_default=True, metavar="NAME", help="Whose doubts count."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Repeats a choice.")
@click.option(
    "--random-share",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Part that is drawn evenly, to judge the model by.",
)
@click.option(
    "--task",
    type=click.Choice(get_args(SelectTask)),
    default="category",
    show_default=True,
    help="Which answers of the scoring model count.",
)
@click.option(
    "--committee", multiple=True, metavar="NAME", help="A model of the committee; repeat it."
)
@click.option(
    "--labelled",
    type=INPUT_FILE,
    help="What is labelled: JSON Lines of text and, if it is a number, value.",
)
@skip_invalid_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    /,
    file: Path,
    *,
    strategy: str,
    num: int,
    model: str,
    seed: int,
    random_share: float,
    task: str,
    committee: tuple[str, ...],
    labelled: Path | None,
    skip_invalid: bool,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Choose samples to label from FILE: JSON Lines of postings, or of id and text."""
    rows = Rows(file, sample, skip_invalid=skip_invalid)
    samples, code = all_rows(rows, "samples", limits.MAX_SAMPLES)
    known: tuple[LabelledSample, ...] = ()
    if labelled is not None:
        known, _ = all_rows(Rows(labelled, LabelledSample.parse), "labelled", limits.MAX_SAMPLES)
    with session.producer() as producer, waiting_note("selecting"):
        handle = producer.select(
            samples,
            strategy=strategy,
            num_samples=num,
            model=model,
            seed=seed,
            random_share=random_share,
            task=task,
            committee=committee,
            labelled=known,
        )
        result = wait_for(handle, timeout_s=timeout_s)
    titles = {item.id: first_line(item) for item in samples}
    if as_json:
        print_json(dump(result))
    elif result.picks:
        print_table(
            [">#", "id", "~sample", ">score", "~~reason"],
            [
                [place, pick.id, titles.get(pick.id), f"{pick.score:.3f}", pick.reason]
                for place, pick in enumerate(result.picks, start=1)
            ],
        )
    chosen = plural(len(result.picks), "sample")
    complain(f"{chosen} chosen out of {len(samples):,} by {result.strategy}, seed {result.seed}")
    return code
