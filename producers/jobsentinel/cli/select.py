"""`jobsentinel select`: which samples are most worth a person's label, and why."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.json_lines import INPUT_FILE, Rows, all_rows, skip_invalid_option
from jobsentinel.cli.output import json_option, plural, print_json, print_table
from jobsentinel.cli.postings_input import first_line, sample
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import timeout_option, wait_for, waiting_note
from jobsentinel.contract import limits
from jobsentinel.contract.base import dump
from jobsentinel.contract.requests import Strategy


@click.command("select")
@click.argument("file", type=INPUT_FILE)
@click.option(
    "--strategy",
    type=click.Choice(get_args(Strategy)),
    default="hybrid",
    show_default=True,
    help="How samples are judged.",
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
    skip_invalid: bool,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    """Choose samples to label from FILE: JSON Lines of postings, or of id and text."""
    rows = Rows(file, sample, skip_invalid=skip_invalid)
    samples, code = all_rows(rows, "samples", limits.MAX_SAMPLES)
    with session.producer() as producer, waiting_note("selecting"):
        handle = producer.select(
            samples, strategy=strategy, num_samples=num, model=model, seed=seed
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
