"""What the demo prints: tables for people, and how well the answers fit the demo's truth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from jobsentinel import (
    JOB_CATEGORIES,
    JobHandle,
    PostingScore,
    RerankResult,
    ResultTimeout,
    SelectResult,
    Settings,
    TrainResult,
)


@contextmanager
def progress(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar and yield the function that advances it."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


def wait_with_progress(console: Console, job: JobHandle[TrainResult], what: str) -> TrainResult:
    """Wait for a training job, showing what it reports."""
    with console.status(what) as status:
        while True:
            try:
                return job.result(timeout_s=0.5)
            except ResultTimeout:
                report = job.progress() or {}
                shown = " · ".join(
                    f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
                    for key, value in report.items()
                    if value is not None
                )
                status.update(f"{what} {shown}")


def show_scores(
    console: Console, scores: Sequence[PostingScore], titles: Mapping[str, str], rows: int = 10
) -> None:
    """Print some of the scores: every n-th posting, so that all kinds are seen."""
    table = Table(box=None)
    for name, width in (("posting", 23), ("category", 15), ("USD a year", 18), ("scam", 9)):
        table.add_column(name, width=width, no_wrap=True, overflow="ellipsis")
    table.add_column("match", width=5)
    for score in scores[:: max(1, len(scores) // rows)][:rows]:
        table.add_row(
            titles[score.posting_id],
            JOB_CATEGORIES[score.category.label] if score.category else "-",
            salary(score),
            scam(score),
            "-" if score.match_quality is None else f"{score.match_quality:.2f}",
        )
    console.print(table)


def salary(score: PostingScore) -> str:
    """Return the estimate with its interval, in thousands."""
    estimate = score.salary_year_usd
    if estimate is None:
        return "-"
    low, value, high = (f"{v / 1e3:.0f}k" for v in (estimate.low, estimate.value, estimate.high))
    return f"{value} ({low} to {high})"


def scam(score: PostingScore) -> str:
    """Return the probability, marked where it reaches the threshold."""
    if score.scam is None:
        return "-"
    return (
        f"[red]{score.scam.probability:.2f} scam[/]"
        if score.scam.is_scam
        else f"{score.scam.probability:.2f}"
    )


def show_fit(
    console: Console, scores: Sequence[PostingScore], truth: Mapping[str, Mapping[str, Any]]
) -> None:
    """Print how often category and scam are right, and how far salaries are off."""
    answered = [(score, truth[score.posting_id]) for score in scores]
    genuine = [(s, t) for s, t in answered if not t["scam"]]
    right = sum(s.category is not None and s.category.label == t["category"] for s, t in genuine)
    frauds = [s for s, t in answered if t["scam"] and s.scam]
    honest = [s for s, t in answered if not t["scam"] and s.scam]
    caught = sum(bool(s.scam and s.scam.is_scam) for s in frauds)
    wrong = sum(bool(s.scam and s.scam.is_scam) for s in honest)
    off = [
        abs(s.salary_year_usd.value / t["salary_year_usd"] - 1)
        for s, t in genuine
        if s.salary_year_usd and t["salary_year_usd"]
    ]
    suspects = sorted((s for s, _ in answered if s.scam), key=_suspicion, reverse=True)[:10]
    listed = sum(truth[s.posting_id]["scam"] for s in suspects)
    console.print(
        f"against the demo's truth: category right {right} of {len(genuine)} · "
        f"scams flagged {caught} of {len(frauds)}, genuine ones flagged {wrong} of {len(honest)}, "
        f"{listed} scams among the 10 most suspicious · "
        f"salary off by {statistics.median(off):.0%} (median of {len(off)})"
    )


def _suspicion(score: PostingScore) -> float:
    return score.scam.probability if score.scam else 0.0


def ndcg(order: Sequence[str], relevance: Mapping[str, int], at: int = 10) -> float:
    """Return nDCG@k with gains 2^relevance - 1 (Järvelin and Kekäläinen, 2002)."""

    def gain(grades: Sequence[int]) -> float:
        return sum((2**grade - 1) / math.log2(n + 2) for n, grade in enumerate(grades[:at]))

    best = gain(sorted(relevance.values(), reverse=True))
    return gain([relevance.get(posting, 0) for posting in order]) / best if best else 0.0


def show_ranking(
    console: Console,
    resume: str,
    ranking: RerankResult,
    titles: Mapping[str, str],
    relevance: Mapping[str, int],
) -> None:
    """Print the best five for a résumé, and the ranking's quality before and after reranking."""
    table = Table("rank", f"for {resume.replace('_', ' ')}", "score", "stage 1", box=None)
    for posting in ranking.ranked[:5]:
        table.add_row(
            str(posting.rank),
            titles.get(posting.id, posting.id)[:52],
            f"{posting.score:.3f}",
            f"#{posting.retrieval_rank}",
        )
    console.print(table)
    first = sorted(ranking.ranked, key=lambda posting: posting.retrieval_rank)
    before = ndcg([posting.id for posting in first], relevance)
    after = ndcg([posting.id for posting in ranking.ranked], relevance)
    console.print(
        f"nDCG@10 of the 20 shown: retrieval {before:.3f}, reranked {after:.3f} · "
        f"{ranking.candidates} candidates in {ranking.timings_ms['total']:.0f} ms\n"
    )


def show_selection(
    console: Console, selection: SelectResult, titles: Mapping[str, str], rows: int = 20
) -> None:
    """Print the first picks with their reasons."""
    table = Table("pick", "posting", "reason", box=None)
    for place, pick in enumerate(selection.picks[:rows], start=1):
        table.add_row(str(place), titles.get(pick.id, pick.id)[:34], pick.reason)
    console.print(table)
    if len(selection.picks) > rows:
        console.print(f"and {len(selection.picks) - rows} more")


def show_training(console: Console, trained: TrainResult) -> None:
    """Print the new version with its metrics, and the gate's verdict."""
    metrics = " · ".join(f"{name} {value:.3f}" for name, value in sorted(trained.metrics.items()))
    state = (
        "is in service" if trained.promoted else "is registered; the one before stays in service"
    )
    console.print(f"{trained.model} version {trained.version} {state}: {metrics}")
    console.print(f"\nThe gate's verdict:\n{trained.report}", markup=False, soft_wrap=True)


def show_held_out(
    console: Console,
    model: str,
    scored: Sequence[PostingScore],
    held_out: Sequence[Mapping[str, Any]],
) -> int:
    """Print how the new model does on rows it has not seen; return how many it gets right."""
    answers = [score.custom[model] for score in scored]
    right = sum(answer.label == row["label"] for answer, row in zip(answers, held_out, strict=True))
    stamp = answers[0].model
    console.print(
        f"on {len(held_out)} rows it has never seen, {model} version {stamp.version} "
        f"is right {right} times ({right / len(held_out):.0%})"
    )
    return right


def show_circle(console: Console, before: int, after: int, of: int) -> None:
    """Print what the circle has brought."""
    console.print(
        f"\n[bold]The circle, once round:[/] {before} of {of} held-out texts were right before "
        f"({before / of:.0%}), {after} are now ({after / of:.0%})"
    )


def show_end(console: Console, settings: Settings) -> None:
    """Print where everything is and how to go on."""
    folder = settings.data_dir
    console.print(
        f"""
[bold green]Done.[/] Everything is in {folder}:
  results, postings, labels, runs   jobsentinel.db (SQLite)
  models                            models/
  queue, append-only                valkey/
  logs of the workers               logs/

Go on with your own postings (one JSON object a line: id, title, description, ...):
  . .venv/bin/activate
  jobsentinel up                          in one terminal
  jobsentinel score postings.jsonl        in another
  jobsentinel --help"""
    )
