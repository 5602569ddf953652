"""Training the scoring model on real postings: time by method, extrapolated, and memory.

Each method trains one epoch over a few hundred postings of full length in a process of its own,
whose highest resident memory is read at the end. The time of 10,000 postings and three epochs
follows from it: what is done once a posting counts once, the rest three times.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Row
from benchmarks.options import Options
from benchmarks.real_postings import read_postings

POSTINGS, EPOCHS = 10_000, 3
MEASURED = 320
GOALS_MIN = {"top2": 12, "full": 30}
METHODS = ("head", "top2", "lora", "full")


def run(options: Options) -> Iterator[Row]:
    """Yield minutes and memory of each method."""
    measured = options.size(MEASURED, 32)
    for method in METHODS:
        found = _measure_in_child(options.data, method, measured)
        once, epoch = found["prepare_s"] / measured, found["epoch_s"] / measured
        minutes = POSTINGS * (once + EPOCHS * epoch) / 60
        goal = f"< {GOALS_MIN[method]}" if method in GOALS_MIN else ""
        name = f"train {POSTINGS:,} postings, {EPOCHS} epochs, {method}, extrapolated"
        yield Row(name, minutes, "min", goal)
        yield Row(f"training process, {method}, peak", found["peak_mb"], "MB", "< 4000")


def _measure_in_child(data: Path, method: str, measured: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.training", "--data", str(data)]
    command += ["--method", method, "--rows", str(measured)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(data: Path, method: str, measured: int) -> dict[str, float]:
    """Return the seconds before the first step and of one epoch, and this process's peak memory."""
    from jobsentinel_workers.multi_task import (
        MultiTaskExample,
        MultiTaskTrainer,
        create_job_matching_model,
    )

    postings = read_postings(data)[:measured]
    labels = ["legal", "healthcare", "engineering"]
    rows = [
        MultiTaskExample(
            posting.text(),
            {
                "job_category": labels[n % 3],
                "salary_prediction": 50_000.0 + 1_000 * (n % 40),
                "scam_detection": n % 5 == 0,
            },
        )
        for n, posting in enumerate(postings)
    ]
    model = create_job_matching_model(pretrained=False, pooling="title")
    heard: list[tuple[float, float]] = []
    started = time.perf_counter()

    def hear(progress: dict[str, float]) -> None:
        heard.append((time.perf_counter() - started, progress.get("epoch", 0.0)))

    trainer = MultiTaskTrainer(
        model,
        method,  # type: ignore[arg-type]  # one of METHODS
        epochs=1,
        on_progress=hear,
    )
    # A few rows judge, since a run without them would judge by all.
    trainer.train(rows, rows[:24])
    first_step = max((at for at, epoch in heard if epoch == 0), default=0.0)
    last_step = next(at for at, epoch in heard if epoch >= 1)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"prepare_s": first_step, "epoch_s": last_step - first_step, "peak_mb": peak_mb}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what one method takes as JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--rows", type=int, default=MEASURED)
    options = parser.parse_args(arguments)
    print(json.dumps(measure(options.data, options.method, options.rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
