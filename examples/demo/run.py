"""The main job from end to end, on demo postings, through a real queue and real workers.

`make demo` runs it. It uses nothing but the public API, so it is also an example to copy from.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import report
from circle import SOURCE, Circle
from rich.console import Console

from jobsentinel import JobSentinelError, Producer, Settings
from jobsentinel_workers.fleet import Fleet

HERE = Path(__file__).resolve().parent
ELSEWHERE = f"source is unknown or source != '{SOURCE}'"
DATA_DIR = Path(os.environ.get("JOBSENTINEL_DEMO_DIR") or HERE.parents[1] / ".demo-data")

console = Console(highlight=False)


def read_jsonl(name: str) -> list[dict[str, Any]]:
    """Return the rows of a demo file."""
    lines = (HERE / name).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a heading, and afterwards how long the step took."""
    console.print(f"\n[bold cyan]{title}[/]")
    started = time.monotonic()
    yield
    console.print(f"[dim]{time.monotonic() - started:.1f} s[/]")


def score(producer: Producer, postings: list[dict[str, Any]], profile: str) -> None:
    """Score all postings and show how well the answers fit the truth."""
    stream = producer.score(postings, profile=profile)
    with report.progress(console, "scoring", len(postings)) as advance:
        scores = []
        for scored in stream.items(timeout_s=300):
            scores.append(scored)
            advance(1)
    truth = {row["id"]: row for row in read_jsonl("truth.jsonl")}
    titles = {posting["id"]: posting.get("title", "") for posting in postings}
    report.show_scores(console, scores, titles)
    report.show_fit(console, scores, truth)


def rank(producer: Producer, postings: list[dict[str, Any]]) -> None:
    """Rank the indexed postings for each résumé."""
    titles = {posting["id"]: posting.get("title", "") for posting in postings}
    judged = read_jsonl("relevance.jsonl")
    for path in sorted((HERE / "resumes").glob("*.txt")):
        asked = path.read_text("utf-8")
        ranking = producer.rerank(asked, where=ELSEWHERE).result(timeout_s=120)
        relevance = {row["id"]: row["relevance"] for row in judged if row["resume"] == path.stem}
        report.show_ranking(console, path.stem, ranking, titles, relevance)


def select(producer: Producer, postings: list[dict[str, Any]]) -> None:
    """Choose what a human should label next."""
    titles = {posting["id"]: posting.get("title", "") for posting in postings}
    selection = producer.select(postings, strategy="hybrid", num_samples=8).result(timeout_s=120)
    report.show_selection(console, selection, titles)


def main() -> int:
    """Run the demo; return the exit code."""
    settings = Settings.load(data_dir=DATA_DIR)
    again = settings.endpoint_file.exists()
    postings = read_jsonl("postings.jsonl")
    profile = (HERE / "resumes" / "backend_engineer.txt").read_text("utf-8")
    console.print(f"[bold]JobSentinel demo[/] · {len(postings)} postings · data in {DATA_DIR}")
    with Fleet(settings) as fleet:
        with step("1  Start an embedded Valkey and two worker pools"):
            with console.status("waiting for the workers"):
                fleet.wait_ready()
            reused = " · data of an earlier run found and reused" if again else ""
            console.print(f"inference and training workers are ready{reused}")
        changed = settings.model_copy(update={"redis_url": fleet.redis_url})
        with Producer(settings=changed) as producer:
            with step("2  Score: category, salary, scam, match with a backend engineer's résumé"):
                score(producer, postings, profile)
            with step("3  Rank all postings for each résumé"):
                rank(producer, postings)
            with step("4  Select the postings whose labels would teach most"):
                select(producer, postings)
            rows = read_jsonl("labels_remote_policy.jsonl")
            held_out = read_jsonl("labels_remote_policy_test.jsonl")
            circle = Circle(console, producer, settings, rows, held_out)
            with step("5  Fine-tune a classifier on a few labels, and let the gate judge it"):
                before = circle.first_version()
            with step("6  Close the circle: select, label, train, judge, serve, by itself"):
                after = circle.turn()
    report.show_circle(console, before, after, len(held_out))
    report.show_end(console, settings)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except JobSentinelError as error:
        console.print(f"[red]{type(error).__name__}[/]: {error}")
        sys.exit(1)
