"""`jobsentinel score`: postings in, predictions out as they come."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from jobsentinel.cli.exit_codes import ExitCode, complain
from jobsentinel.cli.json_lines import INPUT_FILE, Rows, read_text, skip_invalid_option
from jobsentinel.cli.output import json_option, plural, print_json, print_table
from jobsentinel.cli.postings_input import first_line
from jobsentinel.cli.postings_source import POSTINGS, PostingRows, source_options
from jobsentinel.cli.predictions import category_name, predicted, prediction_columns
from jobsentinel.cli.results_file import output_option, results_file
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.waiting import Answers, bar, timeout_option
from jobsentinel.contract import limits
from jobsentinel.contract.base import dump
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.results import ModelStamp, PostingScore, ScoreResult
from jobsentinel.contract.tasks import BULK, INTERACTIVE
from jobsentinel.deduplication import Deduplicate
from jobsentinel.streams import JobStream

Scores = JobStream[ScoreResult, PostingScore]


@dataclass
class Tally:
    """What is kept of the scores that go by: the first rows, and sums over all."""

    rows: int
    titles: dict[str, str] = field(default_factory=dict)
    first: list[PostingScore] = field(default_factory=list)
    categories: Counter[str] = field(default_factory=Counter)
    read: int = 0
    scored: int = 0
    copies: int = 0
    scams: int = 0
    matched: int = 0
    model: ModelStamp | None = None
    began: float = field(default_factory=time.monotonic)

    def titled(self, postings: Rows[Posting]) -> Iterator[Posting]:
        """Pass postings on, keeping the titles that the table will show."""
        for item in postings:
            self.read += 1
            if len(self.titles) < self.rows:
                self.titles[item.id] = first_line(item)
            yield item

    def add(self, score: PostingScore) -> None:
        """Take in one score."""
        if score.duplicate_of is not None:
            self.copies += 1
            return
        self.scored += 1
        self.model = self.model or score.model
        if len(self.first) < self.rows:
            self.first.append(score)
        if score.category:
            self.categories[score.category.label] += 1
        self.scams += bool(score.scam and score.scam.is_scam)
        self.matched += score.match_quality is not None

    def seconds(self) -> float:
        """Return how long it has taken so far."""
        return time.monotonic() - self.began


@click.command("score")
@click.argument("file", type=POSTINGS)
@source_options
@click.option(
    "--profile",
    type=INPUT_FILE,
    metavar="FILE",
    help="Text of a résumé: also say how well each posting matches it.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Model to ask, several times for several; multi-task by default.",
)
@click.option(
    "--chunk",
    type=click.IntRange(1, limits.MAX_POSTINGS_A_MESSAGE),
    default=limits.DEFAULT_CHUNK_POSTINGS,
    show_default=True,
    help="Postings a job.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Score only the first so many postings.")
@click.option(
    "--rows", type=click.IntRange(min=0), default=20, show_default=True, help="Rows of the table."
)
@click.option(
    "--deduplicate",
    type=click.Choice(["exact", "near"]),
    help="Score one of several copies; the others point to it (duplicate_of).",
)
@click.option(
    "--no-wait",
    is_flag=True,
    help="Only send; `results export` gives the answers. With --json, a row a job.",
)
@skip_invalid_option
@output_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    /,
    file: Path,
    *,
    profile: Path | None,
    models: tuple[str, ...],
    chunk: int,
    limit: int | None,
    rows: int,
    skip_invalid: bool,
    deduplicate: Deduplicate | None,
    no_wait: bool,
    output: Path | None,
    timeout_s: float | None,
    as_json: bool,
    **how: Any,
) -> int:
    """Score the postings in FILE: category, salary, scam, match.

    FILE is JSON Lines, CSV, Parquet, a saved page with schema.org's JobPosting or a folder of such
    pages; - is stdin. A row needs an id or a url, and a title or a description. A bad row in a
    file stops everything before anything is sent; in a pipe, what came before it is scored.

    In a pipe (- to something that is no terminal) it prints JSON, a row a posting.
    """
    in_pipe = str(file) == "-" and output is None and not sys.stdout.isatty()
    as_json = as_json or (in_pipe and not no_wait)
    postings = PostingRows(file, skip_invalid=skip_invalid, limit=limit, **how)
    total = postings.check()
    tally = Tally(0 if as_json else rows)
    with ExitStack() as stack:
        stack.enter_context(postings)
        producer = stack.enter_context(session.producer())
        stream = producer.score(
            tally.titled(postings),
            profile=None if profile is None else read_text(profile, "profile"),
            models=models or ("multi-task",),
            chunk_size=chunk,
            deduplicate=deduplicate,
            queue=INTERACTIVE if total == 1 and not no_wait else BULK,
        )
        stack.enter_context(_told_when_broken_off(stream, tally))
        if no_wait:
            _send(stream, tally, total, as_json=as_json)
            return postings.settle()
        write = stack.enter_context(results_file(output))
        answers = stack.enter_context(Answers(stream, timeout_s))
        shown = stack.enter_context(bar("scoring", total, as_json=as_json))
        for score in answers:
            tally.add(score)
            write(dump(score))
            if as_json:
                print_json(dump(score))
            shown.advance()
    if not as_json:
        _print_table(tally)
    complain(_summary(tally))
    if profile is not None and tally.scored and not tally.matched:
        complain("no match was predicted: the scoring model in service was not trained for it")
    return ExitCode.FAILED if answers.failed else postings.settle()


def _send(stream: Scores, tally: Tally, total: int | None, *, as_json: bool) -> None:
    """Send all postings and wait for nothing."""
    with bar("sending", total, as_json=as_json) as shown:
        told = 0
        for job in stream.sending():
            shown.advance(tally.read - told)
            told = tally.read
            if as_json:
                print_json({"job_id": job.job_id})
    jobs = plural(len(stream.jobs), "job")
    complain(f"{plural(tally.read, 'posting')} sent in {jobs} in {tally.seconds():.1f} s")


@contextmanager
def _told_when_broken_off(stream: Scores, tally: Tally) -> Iterator[None]:
    """Say what was sent when Ctrl-C, or the end of whoever read our output, ends the work."""
    try:
        yield
    except (KeyboardInterrupt, BrokenPipeError):
        complain(
            f"broken off: {plural(tally.read, 'posting')} read, "
            f"{plural(len(stream.jobs), 'job')} sent, {tally.scored:,} scored; "
            "the same command again sends only what is left"
        )
        raise


def _print_table(tally: Tally) -> None:
    custom = sorted({name for score in tally.first for name in score.custom})
    rows = [
        [
            score.posting_id,
            tally.titles.get(score.posting_id),
            *predicted(score, True, custom, with_stated=True),
        ]
        for score in tally.first
    ]
    if rows:
        print_table(["~~id", "~title", *prediction_columns(True, custom)], rows)


def _summary(tally: Tally) -> str:
    parts = [f"{plural(tally.scored, 'posting')} scored in {tally.seconds():.1f} s"]
    if tally.model:
        stamp = tally.model
        parts.append(f"{stamp.name} version {stamp.version} ({stamp.precision})")
    if tally.categories:
        parts.append(f"{plural(tally.scams, 'scam')} suspected")
    if tally.copies:
        parts.append(f"copies not scored again: {tally.copies:,}")
    lines = [", ".join(parts)]
    if tally.scored > len(tally.first) and tally.first:
        lines.append(f"shown: the first {len(tally.first)}; --rows, --json or --output give more")
    common = ", ".join(f"{category_name(key)} {n:,}" for key, n in tally.categories.most_common(5))
    return "\n".join([*lines, *([f"most: {common}"] if common else [])])
