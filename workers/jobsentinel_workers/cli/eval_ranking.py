"""`jobsentinel eval ranking`: how good each stage of ranking is, by judgements of one's own.

It runs in this process with the models that are in service, so no worker need run, and it writes
nothing but the report that is asked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import INPUT_FILE
from jobsentinel.cli.output import json_option, plural, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract import limits

if TYPE_CHECKING:
    from jobsentinel_workers.cli.ranking_trial import Trial

EVALUATION_FILE = "ranking-evaluation.json"
MISSING_SHOWN = 5


@click.group("eval")
def command() -> None:
    """Measure how good the answers are, by judgements of your own."""


@command.command("ranking")
@click.option(
    "--judgements",
    "judgements_file",
    type=INPUT_FILE,
    required=True,
    metavar="FILE",
    help="JSON Lines: query, posting_id or text, relevance from 0 on, and if you like segment.",
)
@click.option("--index", "from_index", is_flag=True, help="Rank all stored postings.")
@click.option(
    "--candidates",
    "candidates_file",
    type=INPUT_FILE,
    metavar="FILE",
    help="Rank these postings, or objects with id and text, instead of the stored ones.",
)
@click.option(
    "--segments",
    "by_length",
    is_flag=True,
    help="Put queries without a segment into one by their length.",
)
@click.option(
    "--initial",
    type=click.IntRange(1, limits.MAX_CANDIDATES),
    default=100,
    show_default=True,
    help="Postings that the cross-encoder reads for each query, as for `rank`.",
)
@click.option(
    "--relevant-from",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="GRADE",
    help="The least relevance that MRR, P and Recall count; any above 0 by default.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help=f"Write {EVALUATION_FILE} there, with what each single query got.",
)
@json_option
@pass_session
def ranking(
    session: Session,
    /,
    judgements_file: Path,
    *,
    from_index: bool,
    candidates_file: Path | None,
    by_length: bool,
    initial: int,
    relevant_from: float,
    out: Path | None,
    as_json: bool,
) -> int:
    """Measure each stage of ranking: nDCG@10, MRR@10, P@10 and Recall@100, with intervals.

    Without --index and --candidates, stored postings are ranked if a row names one by its id, and
    else the judged texts alone.
    """
    if from_index and candidates_file is not None:
        raise click.UsageError("give either --index or --candidates")
    from jobsentinel_workers.cli.judgements_file import read_judgements
    from jobsentinel_workers.cli.ranking_trial import TrialOptions, try_ranking
    from jobsentinel_workers.reranking.evaluation_table import to_table

    judgements = read_judgements(judgements_file)
    if out is not None:
        _make(out)  # before minutes of work, not after
    options = TrialOptions(from_index, candidates_file, initial, relevant_from)
    trial = try_ranking(
        session.settings, judgements.by_length() if by_length else judgements, options
    )
    report = {**trial.facts, **trial.evaluation.to_json()}
    if as_json:
        print_json(report)
    else:
        click.echo(to_table(trial.evaluation), nl=False)
    if out is not None:
        _write(out, report | {"by_query": trial.evaluation.by_query()})
    complain(_summary(trial))
    return ExitCode.PARTLY_DONE if trial.missing else ExitCode.DONE


def _summary(trial: Trial) -> str:
    facts = trial.facts
    text = (
        f"{plural(facts['documents'], 'document')} ranked by {facts['bi_encoder']} and "
        f"{facts['cross_encoder']}, which read {facts['initial_top_k']} a query, "
        f"in {facts['seconds']:.1f} s"
    )
    if not trial.missing:
        return text
    named = ", ".join(map(repr, trial.missing[:MISSING_SHOWN]))
    more = ", ..." if len(trial.missing) > MISSING_SHOWN else ""
    missing = plural(len(trial.missing), "judged posting")
    return f"{text}\n{missing} left out, for it is not among these: {named}{more}"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{folder}: {error.strerror}", param_hint="--out") from None


def _write(folder: Path, report: dict[str, Any]) -> None:
    text = json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False)
    try:
        (folder / EVALUATION_FILE).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{folder}: {error.strerror}", param_hint="--out") from None
