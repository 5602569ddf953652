"""Running a replay's circles, one for each strategy and seed, in this process or in several.

Each curve is kept as soon as it is done. Ctrl-C stops what is under way at its next step; the same
replay then goes on with the curves that are missing. Processes end with the one that began them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from typing import Final

from jobsentinel_workers.replay.circle import Circle, Curve, simulate
from jobsentinel_workers.replay.corpus import Corpus
from jobsentinel_workers.replay.kept_curves import KeptCurves

Unit = tuple[str, int]
"""A strategy and a seed."""
OnCurve = Callable[[Curve], None]


def run_circles(
    corpus: Corpus,
    circle: Circle,
    strategies: Sequence[str],
    seeds: Sequence[int],
    kept: KeptCurves,
    *,
    jobs: int = 1,
    on_curve: OnCurve = lambda curve: None,
) -> list[Curve]:
    """Return the curve of each strategy and seed; those in ``kept`` are not computed again.

    Args:
        jobs: processes side by side, each with one thread of arithmetic.
        on_curve: told of each new curve once it is kept.

    Raises:
        InvalidInput: the rows are too few, or a strategy is at fault.
        KeyboardInterrupt: after the curves that are done were kept.
    """
    units = [(strategy, seed) for seed in seeds for strategy in strategies]
    missing = [unit for unit in units if unit not in kept.curves]
    run = _one_by_one if min(jobs, len(missing)) < 2 else _side_by_side
    # Closed at once, whatever ends the loop: processes must not go on with nobody to listen.
    with closing(run(corpus, circle, missing, min(jobs, len(missing)))) as finished:
        for curve in finished:
            kept.add(curve)
            on_curve(curve)
    return [kept.curves[unit] for unit in units]


def _one_by_one(
    corpus: Corpus, circle: Circle, units: list[Unit], _: int
) -> Generator[Curve, None, None]:
    for strategy, seed in units:
        yield simulate(corpus, circle, strategy, seed)


def _side_by_side(
    corpus: Corpus, circle: Circle, units: list[Unit], jobs: int
) -> Generator[Curve, None, None]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with (
        ProcessPoolExecutor(jobs, context, _begin, (corpus, circle, stop)) as executor,
        _stopping(stop, executor),
    ):
        waiting: list[Future[Curve]] = [executor.submit(_simulate, unit) for unit in units]
        for done in as_completed(waiting):
            yield done.result()


@contextmanager
def _stopping(stop: Event, executor: ProcessPoolExecutor) -> Iterator[None]:
    """Let the processes leave their circles if the block does not come to its end."""
    try:
        yield
    except BaseException:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)
        raise


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a process was given when it began."""

    corpus: Corpus
    circle: Circle
    stop: Event


_SHARED: Final[list[_Shared]] = []


def _begin(corpus: Corpus, circle: Circle, stop: Event) -> None:
    # Ctrl-C reaches every process of the terminal; the first one decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _SHARED.append(_Shared(corpus, circle, stop))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _simulate(unit: Unit) -> Curve:
    shared = _SHARED[0]
    strategy, seed = unit
    return simulate(shared.corpus, shared.circle, strategy, seed, shared.stop.is_set)
