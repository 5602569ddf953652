"""`jobsentinel up`: server and workers of this machine, in the foreground until Ctrl-C."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, print_facts, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.cli.status import without_password
from jobsentinel.contract.errors import QueueUnavailable
from jobsentinel_workers.cli.live_line import LiveLine, live_line

if TYPE_CHECKING:
    from jobsentinel.producer import Producer
    from jobsentinel.settings import Settings
    from jobsentinel_workers.fleet import Fleet

WATCH_S: Final = 0.5
POOLS: Final = ("inference", "training")


class StopAsked(Exception):
    """A signal came while the workers were starting."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How `up` speaks: to people, or in JSON with ``as_json``."""

    as_json: bool
    show_url: bool

    def url(self, fleet: Fleet) -> str:
        """Return the address of Redis, without its password unless that was asked for."""
        return fleet.redis_url if self.show_url else without_password(fleet.redis_url)


@click.command("up")
@click.option(
    "--flower",
    "flower_port",
    type=click.IntRange(1, 65_535),
    is_flag=False,
    flag_value=5555,
    metavar="[PORT]",
    help="Also start Flower, on port 5555 unless you name another.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="As the global option.",
)
@click.option("--show-url", is_flag=True, help="Print the password in the address of Redis.")
@json_option
@pass_session
def command(
    session: Session,
    /,
    *,
    flower_port: int | None,
    data_dir: Path | None,
    show_url: bool,
    as_json: bool,
) -> None:
    """Run everything on this machine: Redis unless one is set, both workers, and Flower if wanted.

    Ctrl-C or SIGTERM stops it: running jobs are finished or given back, and what waits is kept for
    the next start.
    """
    from jobsentinel_workers.fleet import Fleet

    if data_dir is not None:
        session = Session(session.redis_url, data_dir)
    shown = Shown(as_json, show_url)
    with _stop_signals() as stop, live_line() as line, _log_to(line):
        line.show("starting")
        with Fleet(session.settings, flower_port=flower_port) as fleet:
            with suppress(StopAsked):
                _run(fleet, stop, line, shown, flower_port)
            line.show("stopping: jobs in hand are finished or given back")
        line.clear()
    if as_json:
        print_json({"event": "stopped"})
    complain("stopped; what waits is kept for the next `jobsentinel up`")


def _run(
    fleet: Fleet, stop: threading.Event, line: LiveLine, shown: Shown, flower_port: int | None
) -> None:
    began = time.monotonic()
    line.show(_starting(fleet, began))
    fleet.wait_ready(lambda: _while_starting(fleet, stop, line, began))
    line.clear()
    _tell_ready(fleet, shown, flower_port)
    with Session(fleet.redis_url, fleet.settings.data_dir).producer() as producer:
        while not stop.wait(WATCH_S):
            fleet.watch()
            line.show(_now(fleet, producer))


def _while_starting(fleet: Fleet, stop: threading.Event, line: LiveLine, began: float) -> None:
    if stop.is_set():
        raise StopAsked
    line.show(_starting(fleet, began))


def _starting(fleet: Fleet, began: float) -> str:
    states = [f"{name} {'ready' if fleet.is_ready(name) else 'starting'}" for name in POOLS]
    return f"server ready, {', '.join(states)} ({time.monotonic() - began:.0f} s)"


def _now(fleet: Fleet, producer: Producer) -> str:
    try:
        return _ready(fleet, producer.depths())
    except QueueUnavailable:
        return "Redis cannot be reached; the workers keep trying (Ctrl-C stops)"


def _ready(fleet: Fleet, counts: dict[str, int]) -> str:
    away = [name for name in POOLS if fleet.pid_of(name) is None]
    running, delayed, dead = (counts.pop(name) for name in ("running", "delayed", "dead"))
    waiting = sum(counts.values()) + delayed
    state = f"{' and '.join(away)} starting again" if away else "ready"
    lost = f", {dead:,} dead" if dead else ""
    return f"{state}: {waiting:,} waiting, {running:,} running{lost} (Ctrl-C stops)"


def _tell_ready(fleet: Fleet, shown: Shown, flower_port: int | None) -> None:
    facts: dict[str, Any] = {
        "redis": shown.url(fleet),
        "data": str(fleet.settings.data_dir.absolute()),
        "logs": str(fleet.log_dir.absolute()),
    }
    if flower_port is not None:
        facts["flower"] = f"http://127.0.0.1:{flower_port}"
    if shown.as_json:
        pids = {name: fleet.pid_of(name) for name in POOLS}
        print_json({"event": "ready", **facts, "pids": pids})
        return
    click.echo("The fleet is ready.")
    print_facts(facts)
    click.echo(_how_to_go_on(fleet.settings))


def _how_to_go_on(settings: Settings) -> str:
    from jobsentinel.settings import default_data_dir

    own = settings.data_dir.absolute() == default_data_dir().absolute()
    option = "" if own else f" --data-dir {settings.data_dir}"
    if settings.redis_url is not None:
        option = " --redis-url ..." + option
    return (
        "In another terminal:\n"
        f"  jobsentinel{option} score postings.jsonl\n"
        f"  jobsentinel{option} status"
    )


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, SIGTERM and a closed terminal set; a handler never interrupts.

    A child that was started just as an exception came would be left behind, so the event is looked
    at where nothing is half done.
    """
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _log_to(line: LiveLine) -> Iterator[None]:
    """Show what the fleet logs, such as a worker that ended, above the live line."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            line.say(self.format(record))

    logger = logging.getLogger("jobsentinel_workers")
    handler = Handler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
