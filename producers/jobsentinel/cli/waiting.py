"""Waiting for answers: with a bar where there is a terminal, and a word when nobody answers.

`Ctrl-C` while waiting for postings drops what was not answered yet; a training run goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Generic, TypeVar

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from jobsentinel.cli.exit_codes import complain, told_shortly
from jobsentinel.cli.output import err
from jobsentinel.contract.base import Message
from jobsentinel.contract.errors import (
    JobCancelled,
    JobFailed,
    JobSentinelError,
    QueueUnavailable,
    ResultTimeout,
)
from jobsentinel.handles import JobHandle
from jobsentinel.streams import JobStream

R = TypeVar("R", bound=Message)
T = TypeVar("T")

LOOK_S: Final = 0.5
"""Between two looks at the clock while no answer comes."""
SILENCE_S: Final = 10.0
"""After this long without any answer, people are told where to look."""
ABSENCE_S: Final = 60.0
"""For so long Redis may be away before a command gives up."""

timeout_option = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give up when no answer came for so long; the jobs go on (exit 1).",
)


class Patience:
    """How long nothing has come, and when that is too long."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._since = time.monotonic()
        self._told = False
        self._away_since: float | None = None

    def renew(self) -> None:
        """An answer came."""
        self._since = time.monotonic()
        self._told = True
        self._away_since = None

    def bear(self, error: QueueUnavailable) -> None:
        """Redis is away: wait a little, or raise the error when that has lasted too long."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            complain(f"{error}; waiting for it to come back")
        if self.is_over() or now - self._away_since >= ABSENCE_S:
            raise error
        time.sleep(LOOK_S)

    def step_s(self) -> float:
        """Return for how long to wait before the next look."""
        if self._timeout_s is None:
            return LOOK_S
        return max(0.0, min(LOOK_S, self._since + self._timeout_s - time.monotonic()))

    def is_over(self) -> bool:
        """Whether to give up; says once that nobody answers, should that last."""
        silent_s = time.monotonic() - self._since
        if silent_s > SILENCE_S and not self._told:
            self._told = True
            complain("no answer yet; `jobsentinel status` shows whether a worker is there")
        return self._timeout_s is not None and silent_s >= self._timeout_s


class Answers(Generic[T]):
    """The items of a stream as they come, inside a ``with`` block.

    A job that failed is told and counted, and the others are read on; Ctrl-C drops the rest.

    Attributes:
        failed: how many jobs failed.
    """

    def __init__(self, stream: JobStream[Any, T], timeout_s: float | None) -> None:
        self._stream = stream
        self._patience = Patience(timeout_s)
        self.failed = 0

    def __enter__(self) -> Answers[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            with suppress(JobSentinelError):  # Redis may be the reason why somebody lost patience
                self._stream.cancel()
                complain("dropped what was not answered yet")

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                for item in self._stream.items(self._patience.step_s()):
                    self._patience.renew()
                    yield item
                return
            except ResultTimeout:
                if self._patience.is_over():
                    raise
            except QueueUnavailable as error:
                self._patience.bear(error)
            except (JobFailed, JobCancelled) as error:
                self.failed += 1
                complain(f"error: {told_shortly(error)}")


def wait_for(
    handle: JobHandle[R],
    *,
    timeout_s: float | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> R:
    """Wait for one answer, calling ``on_wait`` about twice a second.

    Raises:
        ResultTimeout, QueueUnavailable, JobFailed, JobCancelled: as `JobHandle.result`.
    """
    patience = Patience(timeout_s)
    while True:
        try:
            try:
                return handle.result(patience.step_s())
            except ResultTimeout:
                on_wait()
                if handle.state() == "running" and timeout_s is None:
                    patience.renew()
                if patience.is_over():
                    raise
        except QueueUnavailable as error:
            patience.bear(error)


@contextmanager
def waiting_note(text: str) -> Iterator[None]:
    """Show that something is waited for, where there is a terminal."""
    console = err()
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


class Bar:
    """A progress bar on stderr; without a terminal it shows nothing."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self._progress.advance(self._task, count)

    def show(self, done: float, total: float | None, text: str) -> None:
        """Set the bar to ``done`` of ``total``."""
        self._progress.update(self._task, completed=done, total=total, description=text)


@contextmanager
def bar(text: str, total: int | None, *, as_json: bool = False) -> Iterator[Bar]:
    """Open a bar; an unknown total shows a count alone.

    It keeps away from a terminal on which ``as_json`` prints rows.
    """
    console = err()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None if console.width >= 100 else 20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal or (as_json and sys.stdout.isatty())
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield Bar(progress, progress.add_task(text, total=total))
