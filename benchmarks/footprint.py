"""Memory of a worker, and what importing the light wing costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil

from benchmarks.filled_store import filled_settings
from benchmarks.fleets import running_fleet
from benchmarks.measure import Row, Work, in_turn
from benchmarks.options import Options
from jobsentinel_workers.fleet import Fleet

INDEXED, RANKINGS, SCORED = 10_000, 10, 64
IMPORTS = ("pass", "import jobsentinel", "import jobsentinel; jobsentinel.Producer")


def import_time(options: Options) -> Iterator[Row]:
    """Yield the seconds that ``import jobsentinel`` adds to starting Python."""

    def starter(program: str) -> Work:
        command = [sys.executable, "-c", program]
        return lambda _: subprocess.run(command, check=True)

    bare, light, producer = in_turn(options.size(9, 1), *map(starter, IMPORTS))
    yield Row("import jobsentinel", (light.p50 - bare.p50) / 1e3, "s", "< 0.2")
    yield Row("import jobsentinel.Producer", (producer.p50 - bare.p50) / 1e3, "s")


def memory(options: Options) -> Iterator[Row]:
    """Yield the resident memory of an inference worker over an index, all its models at work."""
    indexed, rankings = options.size(INDEXED, 200), options.size(RANKINGS, 1)
    postings = options.postings
    with (
        filled_settings(options, indexed) as settings,
        running_fleet(settings) as (fleet, producer),
    ):
        yield _resident(fleet, "before the first request")
        profile = postings[0].description
        producer.score(postings[:SCORED], profile=profile).result(600)
        producer.select(postings[:SCORED], num_samples=8).result(600)
        for posting in postings[:rankings]:
            producer.rerank(posting.description).result(300)
            producer.rerank(posting.title, where='not title contains "nurse"').result(300)
        name = f"{indexed:,} postings indexed, after {2 * rankings} rankings"
        yield _resident(fleet, name, "< 1000")


def _resident(fleet: Fleet, when: str, goal: str = "") -> Row:
    pid = fleet.pid_of("inference")
    assert pid is not None, "the inference worker has ended"
    resident = psutil.Process(pid).memory_info().rss / 1e6
    return Row(f"inference worker, resident, {when}", resident, "MB", goal)
